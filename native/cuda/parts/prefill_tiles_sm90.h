// prefill_tiles_sm90.h: the one table of tile shapes of the sm_90a prefill kernel, and what they cost. Plain C++: the launcher reads it too.
//
// A CTA is a producer warpgroup and `consumers` warpgroups of 64 rows each; one CTA an SM. K and V tiles of `kv_tile` tokens
// arrive in rings of `stages` each. The matrix units do 4096 FLOP a clock and SM (bf16), the special function units 16 exp2.
//
// Worked example, d = 128, two consumers, KV tile 128: a step is 128 rows x 128 tokens.
//   matrix   2 x 2 x 128 x 128 x 128 FLOP: 2048 clocks.
//   exp2     16384: 1024 clocks, beside the matrix work of the other warpgroup.
//   chain    of a group: q K 512, then 192 softmax instructions a warp, which while the matrix units read registers take about 1000 clocks,
//            packing 100, issuing and waiting 200: below 2048, so the matrix units are the limit.
//   issue    330 instructions a warp and step, twice on each of the four schedulers, and a fetching warp's 30: a third of the slots.
//   shared   K (64 KB, each group reads it), V (64 KB): 128 KB at 128 bytes a clock: 1024 clocks. q is read once a unit.
//   L2       K and V, 64 KB a step: 32 bytes a clock and SM, half of what L2 gives.
//   registers  of a consumer thread: output 64, scores 64, q 32, weights as bf16 32, softmax state 4, some 30 of addresses: 226 of 232.
//   memory   q 32 KB, K and V 3 x 2 x 32 KB: 224 KB of 227.
// d = 64: exp2 takes as many clocks as the matrix work, so a chain is 1.5 times what two groups' matrix work lasts: three groups, and a KV tile
// of 96 so that 152 registers a thread are enough.
// d = 192: q stays in shared memory. d = 256: the output fills 128 registers, q 64 KB: a KV tile of 80.
#pragma once

namespace fp {

struct PrefillTile90 {
  int consumers;
  int kv_tile;
  int stages;
  int query_buffers;
  bool query_in_registers;  // read from shared memory once a unit, not once a KV tile
};

// Gathering rows, and soft cap and custom masks (`features`), take registers from the tile.
constexpr PrefillTile90 prefill_tile_sm90(int head_dim_qk, int head_dim_vo, bool gather, bool features) {
  if (head_dim_qk == 64) return {3, features ? 64 : 96, 3, 1, true};
  if (head_dim_qk == 96) return {2, features ? 112 : 128, 3, 1, !features};
  if (head_dim_qk == 128) return {2, 128, 3, 1, !features};
  if (head_dim_qk == 192 && head_dim_vo == 128) return {2, features ? 96 : 128, 2, 1, false};
  if (head_dim_qk == 192) return {2, features ? 64 : 96, 2, 1, false};
  return {2, gather || features ? 48 : 80, 2, 1, false};
}

// The same for q, K and V in FP8, of 64, 128 or 256 columns. The matrix units do 8192 FLOP a clock and SM, and all else is as dear as before.
// d = 128, two consumers, KV tile 128: a step is 128 rows x 128 tokens.
//   matrix   2 x 2 x 128 x 128 x 128 FLOP: 1024 clocks.
//   exp2     16384: 1024 clocks. No longer hidden: groups must be at it in turn, nearly all the time.
//   chain    of a group: q K 256; 64 exp2 a lane, 512 clocks if no other warp of the scheduler is at it and 1000 if one is; packing 48
//            instructions, issuing and waiting 200: 1100 to 1500.
//   issue    326 instructions a warp and step, twice on each scheduler, and a third of a V's transposition (270) on three of them: 740.
//   shared   K 32 KB (each group reads it), V 32 KB, transposing 16 KB in and 16 out, arriving 32 KB: 128 KB, 1024 clocks.
//   registers  of a consumer thread: output 64, scores 64, q 16, weights 16, some 50 of state and addresses: 210 of 224.
//   memory   q 16 KB, K, V and its landing places 3 x 3 x 16 KB: 161 KB of 227.
// 1585 clocks a step are 1190 TFLOP/s at 1.7 GHz. Three consumers, a KV tile of 64 and q from shared memory, twice buffered, {3, 64, 3, 2, false}, fit
// too: 768 clocks of each unit a step, a chain of 600 to 900, and a third more instructions a score.
// d = 64: exp2 takes twice the matrix work. d = 256: the output fills 128 registers.
constexpr PrefillTile90 prefill_tile_fp8_sm90(int head_dim) {
  if (head_dim == 64) return {3, 64, 3, 1, true};
  if (head_dim == 128) return {2, 128, 3, 1, true};
  return {2, 64, 3, 1, false};
}
constexpr bool has_prefill_fp8_sm90(int head_dim_qk, int head_dim_vo) { return head_dim_qk == head_dim_vo && (head_dim_qk == 64 || head_dim_qk == 128 || head_dim_qk == 256); }

constexpr int prefill_rows_sm90(const PrefillTile90 &tile) { return tile.consumers * 64; }
constexpr int prefill_threads_sm90(const PrefillTile90 &tile) { return (tile.consumers + 1) * 128; }

constexpr int prefill_control_bytes_sm90 = 640;  // units and barriers

constexpr int prefill_shared_bytes_sm90(const PrefillTile90 &tile, int head_dim_qk, int head_dim_vo) {
  return tile.query_buffers * prefill_rows_sm90(tile) * head_dim_qk * 2 + tile.stages * tile.kv_tile * (head_dim_qk + head_dim_vo) * 2 +
         prefill_control_bytes_sm90;
}

// Of FP8: V lands in a place of its own for each stage before it is transposed; behind the barriers that begins at a multiple of 1024.
constexpr int prefill_shared_bytes_fp8_sm90(const PrefillTile90 &tile, int head_dim) {
  return tile.query_buffers * prefill_rows_sm90(tile) * head_dim + tile.stages * tile.kv_tile * head_dim * 3 + 1024 + 1024;
}

// Tokens of a TMA box: the largest power of two that divides both the page and the KV tile. Below 8 the box would not be whole groups of
// rows, and KV is gathered row by row instead.
constexpr int kv_box_tokens(int page_size, int kv_tile) {
  int box = 1;
  while (page_size % (2 * box) == 0 && kv_tile % (2 * box) == 0) box *= 2;
  return box;
}
constexpr int smallest_kv_box = 8;

}  // namespace fp

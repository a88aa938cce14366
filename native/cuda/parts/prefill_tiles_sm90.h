// prefill_tiles_sm90.h: the one table of tile shapes of the sm_90a prefill kernel, and what they cost. Plain C++: the launcher reads it too.
//
// A CTA is a producer warpgroup and `consumers` warpgroups of 64 rows each; one CTA an SM. K and V tiles of `kv_tile` tokens
// arrive in rings of `stages` each. The matrix units do 4096 FLOP a clock and SM (bf16), the special function units 16 exp2.
//
// Worked example, d = 128, two consumers, KV tile 128: a step is 128 rows x 128 tokens.
//   matrix   2 x 2 x 128 x 128 x 128 FLOP: 2048 clocks.
//   exp2     16384: 1024 clocks, beside the matrix work of the other warpgroup. Other softmax instructions: some 230 issue slots a warp
//            and step, twice on each of the four schedulers: 460 clocks. So softmax hides, if the two groups take turns.
//   shared   K (64 KB, each group reads it), V (64 KB), q (32 KB): 160 KB at 128 bytes a clock: 1250 clocks.
//   L2       K and V, 64 KB a step: 32 bytes a clock and SM, half of what L2 gives.
//   registers  of a consumer thread: output 64, scores 64, weights as bf16 32, softmax state 4, some 30 of addresses: 194 of 232.
//   memory   q 2 x 32 KB, K and V 2 x 2 x 32 KB: 192 KB of 227.
// d = 64: exp2 and matrix work take 1024 clocks each for 128 x 128: three warpgroups keep the schedulers busier than two.
// d = 256: the output fills 128 registers, q 64 KB: a KV tile of 80.
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

constexpr int prefill_rows_sm90(const PrefillTile90 &tile) { return tile.consumers * 64; }
constexpr int prefill_threads_sm90(const PrefillTile90 &tile) { return (tile.consumers + 1) * 128; }

constexpr int prefill_control_bytes_sm90 = 640;  // units and barriers

constexpr int prefill_shared_bytes_sm90(const PrefillTile90 &tile, int head_dim_qk, int head_dim_vo) {
  return tile.query_buffers * prefill_rows_sm90(tile) * head_dim_qk * 2 + tile.stages * tile.kv_tile * (head_dim_qk + head_dim_vo) * 2 +
         prefill_control_bytes_sm90;
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

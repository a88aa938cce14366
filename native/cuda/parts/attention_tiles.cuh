// attention_tiles.cuh: the one table of tile shapes of the sm_80 attention kernels, and what they cost. Plain C++: the launcher
// reads the same table as the kernels, so that both agree on shared memory and on the rows of a tile.
//
// Worked example, d = 128 on an A100 (65536 registers and 164 KB of shared memory an SM, 2 CTAs of 128 threads):
//   prefill  a warp owns 32 rows: 128 f32 registers of output, 64 of scores (KV tile 64), some 50 of fragments and addresses: the
//            compiler fills all 255. Shared memory: q 128 x 256 B = 32 KB, k and v tiles 2 x 64 x 256 B = 32 KB, states 5 KB. A tile is
//            read by 4 warps, and q by its own: 160 KB, 1280 cycles at 128 B a cycle, against 2048 cycles of matrix work (256 mma a
//            warp at 8 cycles). 16 rows a warp would read k and v twice as often, a KV tile of 32 q; so 32 rows wherever the output
//            fits the registers (d <= 128), and 64 tokens wherever the scores do too.
//   decode   4 warps, each with its own ring of 16-token chunks of k and v in turn (4 KB): 4 slots are 64 KB a CTA and 128 KB in
//            flight an SM of Hopper. By Little's law 25 to 40 KB would do; the rest rides out what warps do between two chunks. More
//            is slower: whatever is read then, queries and page ids too, waits behind it (6 slots: 8 us for all SMs' bytes).
// Ampere and Ada have 163 KB and 99 KB: rings of 32 to 72 KB. On Hopper only decode tiles come here: for prefill see
// parts/prefill_tiles_sm90.h.
#pragma once

namespace fp {

struct AttentionTile {
  int num_warps;        // of a CTA
  int ctas_per_sm;      // what registers and shared memory are cut for
  int row_tiles;        // m16 tiles a warp holds in prefill
  int prefill_kv_tile;  // KV tokens of a prefill step
  int decode_slots;     // chunks of k or v in a decode warp's ring
  int merge_columns;    // output columns of 16 rows that the warps of a decode CTA add up at a time; of 8 rows twice as many
};

constexpr int decode_rows = 16;
constexpr int decode_warps = 4;   // of the CTA's warps, those that take part in decode
constexpr int decode_chunk = 16;  // KV tokens of a decode warp's step
constexpr int decode_kv_tile = decode_warps * decode_chunk;
// Tile cut points of splits are multiples of this; every prefill_kv_tile divides it.
constexpr int prefill_cut = 64;

// arch 90: Hopper. arch 80: all others, within the 99 KB a CTA of Ada (48 KB where two fit).
constexpr AttentionTile attention_tile(int arch, int head_dim_qk, int head_dim_vo) {
  if (arch == 90) {
    if (head_dim_qk == 64) return {4, 2, 2, 64, 8, 64};
    if (head_dim_qk == 96) return {4, 2, 2, 64, 6, 64};
    if (head_dim_qk == 128) return {4, 2, 2, 64, 4, 64};
    if (head_dim_qk == 192 && head_dim_vo == 128) return {4, 2, 2, 64, 4, 32};
    if (head_dim_qk == 192) return {4, 2, 1, 64, 4, 32};
    return {4, 1, 1, 64, 6, 64};
  }
  if (head_dim_qk == 64) return {4, 2, 2, 64, 4, 32};
  if (head_dim_qk == 96) return {4, 2, 2, 64, 2, 32};
  if (head_dim_qk == 128) return {4, 2, 2, 64, 4, 32};
  if (head_dim_qk == 192 && head_dim_vo == 128) return {4, 2, 2, 32, 2, 32};
  if (head_dim_qk == 192) return {8, 1, 1, 32, 2, 32};
  return {8, 1, 1, 16, 2, 32};
}

// The same for KV caches in FP8, whose rows are half as long. On Hopper too they have their prefill tiles here.
constexpr AttentionTile attention_tile_fp8(int arch, int head_dim) {
  if (arch == 90) {
    if (head_dim == 64) return {4, 2, 2, 64, 16, 64};
    if (head_dim == 128) return {4, 2, 2, 32, 8, 64};
    if (head_dim == 192) return {8, 1, 1, 64, 8, 64};
    return {8, 1, 1, 32, 8, 64};
  }
  if (head_dim == 64) return {4, 2, 2, 64, 8, 32};
  if (head_dim == 128) return {4, 2, 2, 32, 8, 32};
  if (head_dim == 192) return {8, 1, 1, 64, 4, 32};
  return {8, 1, 1, 32, 4, 32};
}

constexpr int prefill_rows(const AttentionTile &tile) { return tile.num_warps * tile.row_tiles * 16; }

constexpr int trace_begin_bytes = 8;  // when the present item began: parts/run_trace.cuh

// A warp's state: 196 bytes, and each lane's softmax state.
constexpr int prefill_state_bytes(const AttentionTile &tile) { return 196 + 32 * tile.row_tiles * 16; }

// kv_bytes: of an element of K and V.
constexpr int prefill_shared_bytes(const AttentionTile &tile, int head_dim_qk, int head_dim_vo, int kv_bytes) {
  return prefill_rows(tile) * head_dim_qk * 2 + tile.prefill_kv_tile * (head_dim_qk + head_dim_vo) * kv_bytes +
         tile.num_warps * prefill_state_bytes(tile) + trace_begin_bytes;
}

constexpr int decode_slot_bytes(int head_dim_qk, int head_dim_vo, int kv_bytes) {
  return decode_chunk * (head_dim_qk > head_dim_vo ? head_dim_qk : head_dim_vo) * kv_bytes;
}

// Queries of a decode tile: fragments in registers, or where output, queries and what turns FP8 into 16 bits are too many, in shared memory.
constexpr bool decode_query_in_shared(int head_dim_qk, int kv_bytes) { return head_dim_qk > (kv_bytes == 1 ? 128 : 192); }
constexpr int decode_query_bytes(int head_dim_qk, int kv_bytes) { return decode_query_in_shared(head_dim_qk, kv_bytes) ? decode_rows * head_dim_qk * 2 : 128; }

// The pitch is 8 mod 32 floats, so that the rows of a fragment fall into distinct banks.
constexpr int decode_merge_floats(const AttentionTile &tile) { return decode_warps * decode_rows * (tile.merge_columns + 8); }
constexpr int decode_state_bytes = 4 + trace_begin_bytes + decode_warps * (decode_rows * 2 * 4 + 160);

constexpr int decode_shared_bytes(const AttentionTile &tile, int head_dim_qk, int head_dim_vo, int kv_bytes) {
  return decode_query_bytes(head_dim_qk, kv_bytes) + decode_merge_floats(tile) * 4 + decode_state_bytes + decode_warps * tile.decode_slots * decode_slot_bytes(head_dim_qk, head_dim_vo, kv_bytes);
}

constexpr int attention_shared_bytes(const AttentionTile &tile, int head_dim_qk, int head_dim_vo, int kv_bytes) {
  const int prefill = prefill_shared_bytes(tile, head_dim_qk, head_dim_vo, kv_bytes);
  const int decode = decode_shared_bytes(tile, head_dim_qk, head_dim_vo, kv_bytes);
  return prefill > decode ? prefill : decode;
}

}  // namespace fp

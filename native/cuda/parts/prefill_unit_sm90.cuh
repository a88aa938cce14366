// prefill_unit_sm90.cuh: one (work item, KV head) of the queue, with all that its rows need of the plan. The producer reads the plan ahead of
// time; the consumers find this in shared memory and wait for no memory.
#pragma once
#include "parts/attention_mask.cuh"

namespace fp {

// The KV tiles of a unit: tile n holds the tokens n * tile_tokens .. of the page list. They are walked from the last to the first, since the
// last ones need masks.
struct alignas(16) PrefillTiles {
  i32 first;  // to be walked
  i32 last;   // above `first`: the unit's rows see nothing
  i32 plain_begin;  // tiles plain_begin <= n < plain_end need no mask
  i32 plain_end;
};

struct alignas(16) PrefillUnit {
  i32 item;  // -1: there are no more, and the rest means nothing
  i32 head;  // KV head
  i32 kv_begin;
  i32 kv_end;  // not above kv_begin: its rows see nothing
  i32 kv_len;  // of the page list
  i32 page_begin;
  i32 partial_row;  // workspace row of packed row 0; -1: results are final; -2: they fit nowhere
  i32 token_begin;  // as fp_row_tile
  i32 num_tokens;
  i32 gathered;
  // The tokens that row token t sees, before a packed mask: see_begin + t <= j < see_end + t, within the range. If gathered, t is the
  // token's position.
  i32 see_begin;
  i32 see_end;
  i32 packed_tile;  // the tile, if it has a packed mask; else -1
  i32 slot;         // where in shared memory this is
  i32 tail;         // tokens of the page list from the first KV tile's first token on
  i32 spare;
  PrefillTiles tiles;

  __device__ __forceinline__ TileRows rows() const { return {token_begin, num_tokens, gathered, 0}; }

  // Fills it in. Whatever the plan says, nothing outside of the capacities in the params is touched. By a whole warp: the lanes read the
  // entries of the plan word by word, which takes two reads and few registers; lane 0 writes.
  __device__ __forceinline__ void describe(const AttentionParams &p, i32 item_index, i32 kv_head, i32 max_rows, i32 tile_tokens, u32 lane) {
    const i32 work_word = lane < sizeof(WorkItem) / 4 ? __ldg(reinterpret_cast<const i32 *>(p.work + item_index) + lane) : 0;
#define FP_WORK(field) __shfl_sync(0xffffffffu, work_word, static_cast<int>(reinterpret_cast<u64>(&static_cast<const WorkItem *>(nullptr)->field)) / 4)
    i32 tile_index = FP_WORK(tile);
    const bool is_sane = static_cast<u32>(tile_index) < static_cast<u32>(p.max_tiles) && p.num_pages > 0 && p.num_kv_indices > 0;
    if (!is_sane) tile_index = min(max(tile_index, 0), p.max_tiles - 1);
    const i32 tile_word = lane < sizeof(RowTile) / 4 ? __ldg(reinterpret_cast<const i32 *>(p.tiles + tile_index) + lane) : 0;
#define FP_TILE(field) __shfl_sync(0xffffffffu, tile_word, static_cast<int>(reinterpret_cast<u64>(&static_cast<const RowTile *>(nullptr)->field)) / 4)
    const i32 from_token = max(FP_WORK(kv_begin), 0);
    const i32 to_token = is_sane ? max(FP_WORK(kv_end), from_token) : from_token;
    const i32 first_token = max(FP_TILE(token_begin), 0);
    const i32 is_gathered = FP_TILE(gathered);
    const i32 available = (is_gathered ? p.max_row_entries : p.num_tokens) - first_token;
    const i32 count = max(min(min(FP_TILE(num_tokens), available), divide(max_rows, p.by_group)), 0);
    i32 first_row = FP_WORK(partial_row);
    if (first_row >= 0) {
      const i32 num_rows = count * p.group;
      const i64 row = first_row + static_cast<i64>(kv_head - FP_WORK(kv_head_begin)) * num_rows;
      first_row = row >= 0 && row + num_rows <= p.max_partial_rows ? static_cast<i32>(row) : -2;
    }
    const i32 first_pos = FP_TILE(qo_pos_begin);
    const i32 first_kv_pos = FP_TILE(kv_pos_begin);
    const i32 length = FP_TILE(kv_len);
    const i32 first_page = FP_TILE(page_begin);
    if (lane == 0) {
      item = item_index;
      head = kv_head;
      kv_begin = from_token;
      kv_end = to_token;
      kv_len = length;
      page_begin = first_page;
      partial_row = max(first_row, -2);
      token_begin = first_token;
      num_tokens = count;
      gathered = is_gathered;
    }
    i32 first_from = -unlimited_window, first_to = unlimited_window;
    i32 from = from_token, to = to_token;  // every row sees these, before a packed mask
    i32 packed = -1;
    if (FP_WORK(needs_mask) != 0) {
      const i32 origin = (is_gathered ? 0 : first_pos) - first_kv_pos;
      first_from = origin - p.window_left;
      first_to = p.window_right == unlimited_window ? unlimited_window : origin + p.window_right + 1;
      i32 low = 0, high = count - 1;
      if (is_gathered) {
        low = 0x7fffffff;
        high = -0x7fffffff;
        for (i32 i = lane; i < count; i += 32) {
          const i32 pos = __ldg(&p.rows[first_token + i].qo_pos);
          low = min(low, pos);
          high = max(high, pos);
        }
        low = __reduce_min_sync(0xffffffffu, low);
        high = __reduce_max_sync(0xffffffffu, high);
      }
      if (count > 0) {
        from = max(from, first_from + high);
        to = min(to, first_to + low);
      }
      if (p.mask != nullptr && FP_TILE(mask_byte_begin) >= 0) {
        packed = tile_index;
        to = from;
      }
    }
#undef FP_TILE
#undef FP_WORK
    if (lane == 0) {
      see_begin = first_from;
      see_end = first_to;
      packed_tile = packed;
      const i32 last = from_token / tile_tokens;
      const i32 end = to_token > from_token ? (to_token + tile_tokens - 1) / tile_tokens : last;
      tail = length - (end - 1) * tile_tokens;
      tiles = {end - 1, last, max(last, (from + tile_tokens - 1) / tile_tokens), to / tile_tokens};
    }
  }
};
static_assert(sizeof(PrefillUnit) == 80);

// A row's columns of a thread, 8 j + e with e < 2, as bit 2 j + e: those below x.
__device__ __forceinline__ u32 columns_below(i32 x, i32 num_bits) {
  const i32 bits = min(max(x >> 3, -1) * 2 + min(x & 7, 2), num_bits);
  return bits >= 32 ? 0xffffffffu : bits <= 0 ? 0u : (1u << bits) - 1u;
}

// Sets scores of what is not visible to -inf, where scores lie as wgmma_sm90.cuh says. This thread's rows are first_row and the one eight
// further; scores are of the KV tokens from `token` on. kCustom: the unit may have a packed mask.
template <int kTokens, bool kCustom>
__device__ __forceinline__ void mask_scores_sm90(const AttentionParams &p, const PrefillUnit &unit, i32 first_row, float (&scores)[kTokens / 2], i32 token, u32 lane) {
  constexpr int kBits = kTokens / 4;
  static_assert(kBits <= 32);
  const i32 column = token + static_cast<i32>(lane % 4) * 2;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    // Keeps one half's values out of the registers of the other.
    asm volatile("" ::: "memory");
    const i32 token_of_tile = min(divide(first_row + 8 * half, p.by_group), max(unit.num_tokens - 1, 0));
    const i32 place = unit.gathered ? unit.rows().position(p, token_of_tile) : token_of_tile;
    const i32 from = max(unit.kv_begin, unit.see_begin + place) - column;
    const i32 to = min(unit.kv_end, unit.see_end + place) - column;
    u32 visible = columns_below(to, kBits) & ~columns_below(from, kBits);
    if (kCustom && unit.packed_tile >= 0) {
      const RowTile *tile = p.tiles + unit.packed_tile;
      const i32 mask_byte = __ldg(&tile->mask_byte_begin);
      const i64 row_bit = (static_cast<i64>(__ldg(&tile->mask_row_begin)) + token_of_tile) * __ldg(&tile->mask_stride_bits) + __ldg(&tile->kv_pos_begin) + token;
      // The four lanes of a row fetch 16 tokens each in turn, and pass theirs round.
      u32 segment = 0;
      u32 shown = 0;
#pragma unroll
      for (int j = 0; j < kTokens / 8; ++j) {
        if (j % 8 == 0) segment = mask_bits_16(p, mask_byte, row_bit + (j / 2 + static_cast<i32>(lane % 4)) * 16);
        const u32 bits = __shfl_sync(0xffffffffu, segment, static_cast<int>((lane & ~3u) + j / 2 % 4)) >> (j % 2 * 8 + lane % 4 * 2);
        shown |= (bits & 3u) << 2 * j;
      }
      visible &= shown;
    }
#pragma unroll
    for (int i = 0; i < kBits; ++i) {
      float &x = scores[4 * (i / 2) + 2 * half + i % 2];
      x = visible >> i & 1 ? x : -kInfinity;
    }
  }
}

}  // namespace fp

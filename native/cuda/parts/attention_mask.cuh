// attention_mask.cuh: which KV tokens a row sees. Tokens are counted from the start of the tile's page list.
#pragma once
#include "parts/attention_plan.cuh"

namespace fp {

// Row r sees the tokens begin <= j < end; so say causality, the windows and the end of the item's range.
struct VisibleTokens {
  i32 begin;
  i32 end;

  __device__ __forceinline__ VisibleTokens(const AttentionParams &p, i32 qo_pos, i32 kv_pos_begin, i32 kv_end) {
    begin = qo_pos - p.window_left - kv_pos_begin;
    end = p.window_right == unlimited_window ? kv_end : min(qo_pos + p.window_right - kv_pos_begin + 1, kv_end);
  }
};

// The same for all of a warp's rows at once: tiles inside of `all` need no mask, tiles outside of `any` no work.
struct WarpVisibility {
  i32 all_begin;
  i32 all_end;
  i32 any_begin;
  i32 any_end;

  // kRows rows from row_begin on, kRows <= 32. needs_mask is the item's.
  template <int kRows>
  __device__ __forceinline__ static WarpVisibility of(const AttentionParams &p, const TileRows &rows, const RowTile *tile, i32 row_begin, i32 kv_end,
                                                      bool needs_mask, u32 lane) {
    const i32 num_rows = min(rows.num_rows(p) - row_begin, kRows);
    if (num_rows <= 0) return {0, 0, 0, 0};
    if (!needs_mask) return {0, kv_end, 0, kv_end};
    i32 first_pos, last_pos;
    if (rows.gathered) {
      const i32 row = row_begin + min(static_cast<i32>(lane), num_rows - 1);
      const i32 pos = rows.position(p, divide(row, p.by_group));
      first_pos = __reduce_min_sync(0xffffffffu, pos);
      last_pos = __reduce_max_sync(0xffffffffu, pos);
    } else {
      first_pos = rows.qo_pos_begin + divide(row_begin, p.by_group);
      last_pos = rows.qo_pos_begin + divide(row_begin + num_rows - 1, p.by_group);
    }
    const i32 kv_pos_begin = __ldg(&tile->kv_pos_begin);
    const VisibleTokens first(p, first_pos, kv_pos_begin, kv_end);
    const VisibleTokens last(p, last_pos, kv_pos_begin, kv_end);
    if (p.mask != nullptr && __ldg(&tile->mask_byte_begin) >= 0) return {0, 0, first.begin, last.end};
    return {last.begin, first.end, first.begin, last.end};
  }

  __device__ __forceinline__ bool all(i32 begin, i32 end) const { return begin >= all_begin && end <= all_end; }
  __device__ __forceinline__ bool any(i32 begin, i32 end) const { return begin < any_end && end > any_begin; }
};

// 16 bits of the packed mask, from `bit` of the request's mask on. Bytes past the mask's end read as 0.
__device__ __forceinline__ u32 mask_bits_16(const AttentionParams &p, i32 byte_begin, i64 bit) {
  const i64 byte = byte_begin + (bit >> 3);
  u32 bits = 0;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    if (byte + i >= 0 && byte + i < p.mask_bytes) bits |= static_cast<u32>(__ldg(p.mask + byte + i)) << (8 * i);
  }
  return bits >> (bit & 7);
}

// Sets the scores of what is not visible to -inf. scores[m][n] is the C fragment of rows row_begin + 16 m .. and tokens
// token_begin + 8 n .. Without needs_mask that is what lies outside of kv_begin .. kv_end; kReadsLess: and the tile is not read.
template <bool kReadsLess = false, int kRowTiles, int kTokenTiles>
__device__ __forceinline__ void mask_scores(const AttentionParams &p, float (&scores)[kRowTiles][kTokenTiles][4], const TileRows &rows,
                                            const RowTile *tile, i32 row_begin, i32 token_begin, i32 kv_begin, i32 kv_end, bool needs_mask, u32 lane) {
  constexpr int kSegments = kTokenTiles / 2;  // of 16 tokens
  const i32 kv_pos_begin = !kReadsLess || needs_mask ? __ldg(&tile->kv_pos_begin) : 0;
  const i32 mask_byte_begin = p.mask != nullptr && needs_mask ? __ldg(&tile->mask_byte_begin) : -1;
  const i32 last_token = max(rows.num_tokens - 1, 0);
  const i32 column = token_begin + static_cast<i32>(lane % 4) * 2;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const i32 token_of_tile = min(divide(row_begin + 16 * m + 8 * half + static_cast<i32>(lane / 4), p.by_group), last_token);
      VisibleTokens visible(p, rows.position(p, token_of_tile), kv_pos_begin, kv_end);
      if (!needs_mask) {
        visible.begin = kv_begin;
        visible.end = kv_end;
      }
      // Each lane of the four that share the row fetches a segment; all four pass theirs round.
      u32 segment = 0xffffu;
      if (mask_byte_begin >= 0) {
        const i64 row_bit = (static_cast<i64>(__ldg(&tile->mask_row_begin)) + token_of_tile) * __ldg(&tile->mask_stride_bits);
        segment = mask_bits_16(p, mask_byte_begin, row_bit + kv_pos_begin + token_begin + static_cast<i32>(lane % kSegments) * 16);
      }
#pragma unroll
      for (int n = 0; n < kTokenTiles; ++n) {
        const u32 bits = __shfl_sync(0xffffffffu, segment, static_cast<int>((lane & ~3u) + n / 2)) >> (n % 2 * 8 + lane % 4 * 2);
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const i32 j = column + 8 * n + e;
          const bool seen = j >= visible.begin && j < visible.end && (bits >> e & 1);
          if (!seen) scores[m][n][2 * half + e] = -kInfinity;
        }
      }
    }
  }
}

}  // namespace fp

// prefill_mask_sm90.cuh: which KV tokens the two rows of a thread see, where scores lie as wgmma_sm90.cuh says.
#pragma once
#include "parts/attention_mask.cuh"

namespace fp {

// Tokens are counted from the start of the tile's page list. Only what every KV tile needs is kept in registers; the few tiles that
// are masked read the plan again. kCustom: the request may have a packed mask.
template <bool kCustom>
struct PrefillMask {
  i32 all_begin;  // every row of the CTA's tile sees these
  i32 all_end;

  __device__ __forceinline__ PrefillMask(const AttentionParams &p, const Item &item, i32 item_index, const TileRows &rows, u32 lane) {
    all_begin = item.kv_begin;
    all_end = item.kv_end;
    if (__ldg(&p.work[item_index].needs_mask) == 0) return;
    const RowTile *tile = p.tiles + item.tile;
    const i32 kv_pos_begin = __ldg(&tile->kv_pos_begin);
    const i32 last_token = max(rows.num_tokens - 1, 0);
    i32 first_pos = rows.qo_pos_begin, last_pos = rows.qo_pos_begin + last_token;
    if (rows.gathered) {
      first_pos = 0x7fffffff;
      last_pos = -0x7fffffff;
      for (i32 i = lane; i <= last_token; i += 32) {
        first_pos = min(first_pos, rows.position(p, i));
        last_pos = max(last_pos, rows.position(p, i));
      }
      first_pos = __reduce_min_sync(0xffffffffu, first_pos);
      last_pos = __reduce_max_sync(0xffffffffu, last_pos);
    }
    all_begin = max(all_begin, VisibleTokens(p, last_pos, kv_pos_begin, item.kv_end).begin);
    all_end = VisibleTokens(p, first_pos, kv_pos_begin, item.kv_end).end;
    if (kCustom && p.mask != nullptr && __ldg(&tile->mask_byte_begin) >= 0) all_end = all_begin;
  }

  __device__ __forceinline__ bool sees_all(i32 token, i32 num_tokens) const { return token >= all_begin && token + num_tokens <= all_end; }

  // Sets what is not visible to -inf. This thread's rows are first_row and the one eight further; scores of tokens from `token` on.
  template <int kTokens>
  static __device__ __forceinline__ void apply(const AttentionParams &p, i32 item_index, i32 max_rows, i32 first_row, float (&scores)[kTokens / 2], i32 token, u32 lane) {
    const Item item(p, item_index);
    const RowTile *tile = p.tiles + item.tile;
    const bool needs_mask = __ldg(&p.work[item_index].needs_mask) != 0;
    const TileRows rows(p, item.tile, max_rows);
    const i32 kv_pos_begin = __ldg(&tile->kv_pos_begin);
    const i32 mask_byte = kCustom && needs_mask && p.mask != nullptr ? __ldg(&tile->mask_byte_begin) : -1;
    const i32 last_token = max(rows.num_tokens - 1, 0);
    const i32 column = token + static_cast<i32>(lane % 4) * 2;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const i32 token_of_tile = min(divide(first_row + 8 * half, p.by_group), last_token);
      i32 from = item.kv_begin, to = item.kv_end;
      if (needs_mask) {
        const VisibleTokens visible(p, rows.position(p, token_of_tile), kv_pos_begin, item.kv_end);
        from = max(from, visible.begin);
        to = visible.end;
      }
      from -= column;
      to -= column;
#pragma unroll
      for (int j = 0; j < kTokens / 8; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const i32 offset = 8 * j + e;
          if (offset < from || offset >= to) scores[4 * j + 2 * half + e] = -kInfinity;
        }
      }
      if (kCustom && mask_byte >= 0) {
        const i64 row_bit = (static_cast<i64>(__ldg(&tile->mask_row_begin)) + token_of_tile) * __ldg(&tile->mask_stride_bits) + kv_pos_begin + token;
        // The four lanes of a row fetch 16 tokens each in turn, and pass theirs round.
        u32 segment = 0;
#pragma unroll
        for (int j = 0; j < kTokens / 8; ++j) {
          if (j % 8 == 0) segment = mask_bits_16(p, mask_byte, row_bit + (j / 2 + static_cast<i32>(lane % 4)) * 16);
          const u32 bits = __shfl_sync(0xffffffffu, segment, static_cast<int>((lane & ~3u) + j / 2 % 4)) >> (j % 2 * 8 + lane % 4 * 2);
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            if ((bits >> e & 1) == 0) scores[4 * j + 2 * half + e] = -kInfinity;
          }
        }
      }
    }
  }
};

}  // namespace fp

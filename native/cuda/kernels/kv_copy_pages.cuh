// kv_copy_pages.cuh: whole pages of K and V onto others (copy on write). Pairs that name a page outside of the cache are skipped.
#pragma once
#include "parts/kv_rows.cuh"

namespace fp {

__device__ __forceinline__ void kv_copy_pages(const KvCopyPagesParams &p) {
  __shared__ TokenMove moves[kv_max_tokens_per_cta];
  const KvCacheShape &cache = p.cache;
  const HeadRange heads(cache);
  const i64 step = static_cast<i64>(gridDim.x) * cache.tokens_per_cta;
  for (i64 begin = static_cast<i64>(blockIdx.x) * cache.tokens_per_cta; begin < p.num_tokens; begin += step) {
    const u32 num_tokens = static_cast<u32>(min(static_cast<i64>(cache.tokens_per_cta), p.num_tokens - begin));
    if (threadIdx.x < num_tokens) {
      const i64 index = begin + threadIdx.x;
      const i64 copy = index / cache.page_size;
      const i32 token = static_cast<i32>(index - copy * cache.page_size);
      const i32 source = p.pairs[2 * copy], target = p.pairs[2 * copy + 1];
      TokenMove move;
      move.valid = source >= 0 && source < cache.num_pages && target >= 0 && target < cache.num_pages;
      move.k_from = k_slot_bytes(cache, source, token);
      move.k_to = k_slot_bytes(cache, target, token);
      move.v_from = v_slot_bytes(cache, source, token);
      move.v_to = v_slot_bytes(cache, target, token);
      moves[threadIdx.x] = move;
    }
    __syncthreads();
    copy_chunks<true>(moves, num_tokens, heads, cache.k_cache, cache.k_head_bytes, cache.k_cache, cache.k_head_bytes, 0, cache.k_chunks);
    copy_chunks<false>(moves, num_tokens, heads, cache.v_cache, cache.v_head_bytes, cache.v_cache, cache.v_head_bytes, 0, cache.v_chunks);
    __syncthreads();  // the next tokens take the place of these
  }
}

}  // namespace fp

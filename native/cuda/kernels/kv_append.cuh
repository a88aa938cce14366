// kv_append.cuh: new keys and values into their slots of the paged cache, in the dtype that they have; keys rotated on the way if wanted.
// Slots outside of the cache are skipped.
#pragma once
#include "parts/kv_appended.cuh"
#include "parts/pack.cuh"

namespace fp {

// The keys' rotated elements; kCount divides the number of pairs.
template <typename Element, int kCount>
__device__ __forceinline__ void append_rotated(const KvAppendParams &p, const TokenMove *moves, u32 num_tokens, HeadRange heads,
                                               const float2 *table) {
  using P = Pack<Element, kCount>;
  const u32 num_pairs = p.num_pairs;
  const u32 packs = num_pairs / kCount;
  const u32 second_bytes = (p.interleaved ? kCount : p.num_pairs) * 2;
  for (u32 i = threadIdx.x; i < num_tokens * heads.count * packs; i += blockDim.x) {
    const u32 row = i / packs;
    const u32 pair = (i - row * packs) * kCount;
    const u32 token = row / heads.count;
    const TokenMove &move = moves[token];
    if (!move.valid) continue;
    const i64 head = heads.begin + static_cast<i32>(row - token * heads.count);
    const u32 pair_bytes = pair * (p.interleaved ? 4 : 2);
    const char *from = p.k + move.k_from + head * p.k_head_bytes + pair_bytes;
    char *to = p.cache.k_cache + move.k_to + head * p.cache.k_head_bytes + pair_bytes;
    float first[kCount], second[kCount];
    const typename P::Raw raw_first = P::read(from), raw_second = P::read(from + second_bytes);
    P::unpack(raw_first, first);
    P::unpack(raw_second, second);
    rotate_packs<kCount>(first, second, table + token * num_pairs + pair, p.interleaved != 0);
    P::write(to, P::pack(first));
    P::write(to + second_bytes, P::pack(second));
  }
}

// Elements of the keys behind the rotated ones, one by one.
__device__ __forceinline__ void append_rest(const KvAppendParams &p, const TokenMove *moves, u32 num_tokens, HeadRange heads) {
  const u32 begin = 2 * p.num_pairs;
  const u32 count = p.cache.k_chunks * 8 - begin;
  for (u32 i = threadIdx.x; i < num_tokens * heads.count * count; i += blockDim.x) {
    const u32 row = i / count;
    const u32 bytes = (begin + i - row * count) * 2;
    const u32 token = row / heads.count;
    const TokenMove &move = moves[token];
    if (!move.valid) continue;
    const i64 head = heads.begin + static_cast<i32>(row - token * heads.count);
    *reinterpret_cast<u16 *>(p.cache.k_cache + move.k_to + head * p.cache.k_head_bytes + bytes) =
        *reinterpret_cast<const u16 *>(p.k + move.k_from + head * p.k_head_bytes + bytes);
  }
}

// Element matters with kRotates only.
template <typename Element, bool kRotates>
__device__ __forceinline__ void kv_append(const KvAppendParams &p) {
  __shared__ TokenMove moves[kv_max_tokens_per_cta];
  __shared__ float2 table[kRotates ? kv_max_tokens_per_cta * kv_max_pairs : 1];
  const KvCacheShape &cache = p.cache;
  const i64 token_begin = static_cast<i64>(blockIdx.x) * cache.tokens_per_cta;
  const u32 num_tokens = static_cast<u32>(min(static_cast<i64>(cache.tokens_per_cta), p.num_tokens - token_begin));
  const HeadRange heads(cache);
  find_slots(moves, p, token_begin, num_tokens);
  if constexpr (kRotates) find_rotations(table, p, token_begin, num_tokens);
  __syncthreads();
  copy_chunks<false>(moves, num_tokens, heads, p.v, p.v_head_bytes, cache.v_cache, cache.v_head_bytes, 0, cache.v_chunks);
  if constexpr (kRotates) {
    if (p.wide_rotation) {
      append_rotated<Element, 8>(p, moves, num_tokens, heads, table);
      const u32 rotated_chunks = p.num_pairs / 4;
      copy_chunks<true>(moves, num_tokens, heads, p.k, p.k_head_bytes, cache.k_cache, cache.k_head_bytes, rotated_chunks,
                        cache.k_chunks - rotated_chunks);
    } else {
      append_rotated<Element, 1>(p, moves, num_tokens, heads, table);
      append_rest(p, moves, num_tokens, heads);
    }
  } else {
    copy_chunks<true>(moves, num_tokens, heads, p.k, p.k_head_bytes, cache.k_cache, cache.k_head_bytes, 0, cache.k_chunks);
  }
}

}  // namespace fp

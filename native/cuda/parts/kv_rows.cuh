// kv_rows.cuh: moving the keys and values of some tokens and heads, in 16-byte chunks.
#pragma once
#include "parts/kv_cache_params.h"
#include "parts/types.cuh"

namespace fp {

// Where a token's keys and values come from and go to, in bytes from the tensors' beginnings.
struct TokenMove {
  i64 k_from;
  i64 k_to;
  i64 v_from;
  i64 v_to;
  bool valid;  // else nothing of it is read or written
};

// A slot of the cache.
__device__ __forceinline__ i64 k_slot_bytes(const KvCacheShape &cache, i32 page, i32 token) {
  return page * cache.k_page_bytes + token * cache.k_token_bytes;
}
__device__ __forceinline__ i64 v_slot_bytes(const KvCacheShape &cache, i32 page, i32 token) {
  return page * cache.v_page_bytes + token * cache.v_token_bytes;
}

// The heads of this CTA.
struct HeadRange {
  i32 begin;
  u32 count;

  __device__ __forceinline__ explicit HeadRange(const KvCacheShape &cache)
      : begin(static_cast<i32>(blockIdx.y) * cache.heads_per_cta), count(min(cache.heads_per_cta, cache.num_kv_heads - begin)) {}
};

// Copies chunks [first, first + num_chunks) of each (token, head), four of a thread under way at once. `moves` is in shared memory, and
// all threads of the CTA share the work. kKeys: of keys, else of values.
template <bool kKeys>
__device__ __forceinline__ void copy_chunks(const TokenMove *moves, u32 num_tokens, HeadRange heads, const char *from, i64 from_head_bytes, char *to,
                                            i64 to_head_bytes, u32 first, u32 num_chunks) {
  constexpr int kSteps = 4;
  const u32 total = num_tokens * heads.count * num_chunks;
  for (u32 begin = threadIdx.x; begin < total; begin += blockDim.x * kSteps) {
    uint4 bytes[kSteps];
    char *target[kSteps];
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      const u32 i = begin + s * blockDim.x;
      target[s] = nullptr;
      if (i >= total) continue;
      const u32 row = i / num_chunks;
      const u32 token = row / heads.count;
      const TokenMove &move = moves[token];
      if (!move.valid) continue;
      const i64 head = heads.begin + static_cast<i32>(row - token * heads.count);
      const u32 chunk_bytes = (first + i - row * num_chunks) * 16;
      target[s] = to + (kKeys ? move.k_to : move.v_to) + head * to_head_bytes + chunk_bytes;
      bytes[s] = *reinterpret_cast<const uint4 *>(from + (kKeys ? move.k_from : move.v_from) + head * from_head_bytes + chunk_bytes);
    }
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      if (target[s] != nullptr) *reinterpret_cast<uint4 *>(target[s]) = bytes[s];
    }
  }
}

}  // namespace fp

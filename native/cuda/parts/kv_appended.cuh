// kv_appended.cuh: the new tokens of a CTA: where each goes, and how its keys are rotated.
#pragma once
#include "parts/kv_rows.cuh"
#include "parts/rope_angle.cuh"

namespace fp {

// Threads of the CTA fill `moves`, in shared memory: wait for them. Slots outside of the cache are not valid.
__device__ __forceinline__ void find_slots(TokenMove *moves, const KvAppendParams &p, i64 token_begin, u32 num_tokens) {
  if (threadIdx.x >= num_tokens) return;
  const KvCacheShape &cache = p.cache;
  const i64 token = token_begin + threadIdx.x;
  const i32 slot = p.slots[token];
  const i32 page = slot / cache.page_size;
  TokenMove move;
  move.valid = slot >= 0 && page < cache.num_pages;
  move.k_from = token * p.k_token_bytes;
  move.v_from = token * p.v_token_bytes;
  move.k_to = k_slot_bytes(cache, page, slot - page * cache.page_size);
  move.v_to = v_slot_bytes(cache, page, slot - page * cache.page_size);
  moves[threadIdx.x] = move;
}

// The same of `table`: [num_tokens, num_pairs].
__device__ __forceinline__ void find_rotations(float2 *table, const KvAppendParams &p, i64 token_begin, u32 num_tokens) {
  const u32 num_pairs = p.num_pairs;
  for (u32 i = threadIdx.x; i < num_tokens * num_pairs; i += blockDim.x) {
    const u32 token = i / num_pairs;
    table[i] = rope_rotation(p.positions[token_begin + token], p.inv_freq[i - token * num_pairs]);
  }
}

}  // namespace fp

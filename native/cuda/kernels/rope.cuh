// rope.cuh: rotary position embedding in place. A CTA has some tokens, heads and pairs: it first makes a table of the rotations, which all
// of its heads share.
#pragma once
#include "parts/model_ops_params.h"
#include "parts/pack.cuh"
#include "parts/rope_angle.cuh"

namespace fp {

template <typename Element, int kCount>
__device__ __forceinline__ void rope(const RopeParams &p) {
  using P = Pack<Element, kCount>;
  constexpr int kElementBytes = sizeof(typename Element::Storage);
  __shared__ float2 table[rope_table_pairs];
  const i32 token_tile = static_cast<i32>(blockIdx.x / p.pair_blocks);
  const i32 pair_begin = static_cast<i32>(blockIdx.x % p.pair_blocks) * p.pairs_per_cta;
  const i64 token_begin = static_cast<i64>(token_tile) * p.tokens_per_cta;
  const i32 head_begin = static_cast<i32>(blockIdx.y) * p.heads_per_cta;
  const u32 num_tokens = static_cast<u32>(min(static_cast<i64>(p.tokens_per_cta), p.num_tokens - token_begin));
  const u32 num_heads = min(p.heads_per_cta, p.num_heads - head_begin);
  const u32 num_pairs = min(p.pairs_per_cta, p.num_pairs - pair_begin);
  for (u32 i = threadIdx.x; i < num_tokens * num_pairs; i += blockDim.x) {
    const u32 token = i / num_pairs;
    table[i] = rope_rotation(p.positions[token_begin + token], p.inv_freq[pair_begin + (i - token * num_pairs)]);
  }
  __syncthreads();
  // kCount divides num_pairs. Interleaved, the pairs' elements are the 2 * kCount at 2 * pair; else there are two runs of kCount.
  const u32 packs = num_pairs / kCount;
  const i64 second_bytes = static_cast<i64>(p.interleaved ? kCount : p.num_pairs) * kElementBytes;
  for (u32 i = threadIdx.x; i < num_tokens * num_heads * packs; i += blockDim.x) {
    const u32 row = i / packs;
    const u32 pair = (i - row * packs) * kCount;
    const u32 token = row / num_heads;
    const u32 head = row - token * num_heads;
    char *x = p.x + (token_begin + token) * p.token_bytes + static_cast<i64>(head_begin + head) * p.head_bytes +
              static_cast<i64>(pair_begin + pair) * (p.interleaved ? 2 : 1) * kElementBytes;
    float first[kCount], second[kCount];
    const typename P::Raw raw_first = P::read(x), raw_second = P::read(x + second_bytes);
    P::unpack(raw_first, first);
    P::unpack(raw_second, second);
    rotate_packs<kCount>(first, second, table + token * num_pairs + pair, p.interleaved != 0);
    P::write(x, P::pack(first));
    P::write(x + second_bytes, P::pack(second));
  }
}

}  // namespace fp

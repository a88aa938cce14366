// queries_from_fp8.cuh: e4m3 queries as 16-bit ones, for attention kernels whose products are of 16 bits. Exact, but for the rounding of products
// with head scales. A thread has chunks of 16 elements.
#pragma once
#include "parts/query_params.h"
#include "parts/types.cuh"
#include "ptx/fp8.cuh"

namespace fp {

template <typename Dtype>
__device__ __forceinline__ void queries_from_fp8(const QueryParams &p) {
  for (i64 i = static_cast<i64>(blockIdx.x) * query_threads + threadIdx.x; i < p.num_chunks; i += static_cast<i64>(gridDim.x) * query_threads) {
    const i64 row = i / p.chunks_of_row;
    const i64 token = row / p.num_heads;
    const i32 chunk = static_cast<i32>(i - row * p.chunks_of_row), head = static_cast<i32>(row - token * p.num_heads);
    const uint4 raw = *reinterpret_cast<const uint4 *>(p.q + token * p.q_token_bytes + head * p.q_head_bytes + chunk * 16);
    const u32 words[4] = {raw.x, raw.y, raw.z, raw.w};
    u32 halves[8];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      u32 pairs[2];
      ptx::fp8_to_pairs(pairs, words[j], false, Dtype{});
      halves[2 * j] = pairs[0];
      halves[2 * j + 1] = pairs[1];
    }
    if (p.head_scales != nullptr) {
      const float scale = p.head_scales[head];
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        halves[j] = ptx::pack(ptx::to_float(static_cast<u16>(halves[j]), Dtype{}) * scale, ptx::to_float(static_cast<u16>(halves[j] >> 16), Dtype{}) * scale, Dtype{});
      }
    }
    uint4 *to = reinterpret_cast<uint4 *>(p.out + i * 32);
    to[0] = make_uint4(halves[0], halves[1], halves[2], halves[3]);
    to[1] = make_uint4(halves[4], halves[5], halves[6], halves[7]);
  }
}

}  // namespace fp

// prefill_weights_sm90.cuh: a thread's weights of a KV tile as A fragments of the product with V. scores[4 j + 2 half + e] is of row `half` and
// token 8 j + 2 (lane % 4) + e, as wgmma_sm90.cuh says.
#pragma once
#include "parts/quick_softmax_fp8_sm90.cuh"
#include "parts/quick_softmax_sm90.cuh"
#include "ptx/fp8.cuh"

namespace fp {

template <int kSteps, int kScores, typename Dtype>
__device__ __forceinline__ void pack_prefill_weights(u32 (&weights)[kSteps][4], const float (&scores)[kScores], Dtype) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) weights[step][i] = ptx::pack(scores[8 * step + 2 * i], scores[8 * step + 2 * i + 1], Dtype{});
  }
}

// In FP8 a lane has four neighbours 4 t .. 4 t + 3 of each 16 (t = lane % 4), but of the scores two and two, eight apart: so the products'
// sums run over tokens in another order, 2 t, 2 t + 1, 2 t + 8, 2 t + 9, in which parts/transpose_values_sm90.cuh lays V.
template <int kSteps, int kScores>
__device__ __forceinline__ void pack_prefill_weights(u32 (&weights)[kSteps][4], const float (&scores)[kScores], E4m3) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float *first = scores + 16 * step + i / 2 * 8 + i % 2 * 2;
      weights[step][i] = ptx::float_to_e4m3(first[0], first[1], first[4], first[5]);
    }
  }
}

}  // namespace fp

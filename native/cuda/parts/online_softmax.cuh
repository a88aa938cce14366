// online_softmax.cuh: the running maximum and sum of each row while KV tokens stream past. Everything is in powers of two: a
// score x weighs 2^(scale x - max), with scale = sm_scale log2(e).
#pragma once
#include "parts/attention_params.h"
#include "ptx/convert.cuh"
#include "ptx/math.cuh"

namespace fp {

constexpr float kLn2 = 0.69314718055994530942f;

// x = tanh(cap_scale x), 1 - 2 / (e^2y + 1): exact to about 1e-7 where tanh.approx errs by 5e-4.
template <int kRowTiles, int kTokenTiles>
__device__ __forceinline__ void soft_cap_scores(float (&scores)[kRowTiles][kTokenTiles][4], float cap_scale) {
  const float k = cap_scale * 2.885390081777927f;  // 2 log2(e)
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kTokenTiles; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[m][n][e] = 1.f - 2.f * ptx::reciprocal(ptx::exp2(scores[m][n][e] * k) + 1.f);
    }
  }
}

// Rows g and g + 8 of each m16 tile, g = lane / 4. `sum` is this lane's share: the four lanes of a row add theirs up at the end.
template <int kRowTiles>
struct SoftmaxState {
  float max[kRowTiles][2];  // of scale x; -inf before the first visible token
  float sum[kRowTiles][2];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
      max[m][0] = max[m][1] = -kInfinity;
      sum[m][0] = sum[m][1] = 0.f;
    }
  }

  // Turns scores into weights; carries sum and out over to the new maximum. Masked scores are -inf; no finite stand-in: any finite
  // score may be smaller. A row that has seen nothing keeps max -inf, and 0 is subtracted instead.
  template <int kTokenTiles, int kColumnTiles>
  __device__ __forceinline__ void update(float (&scores)[kRowTiles][kTokenTiles][4], float (&out)[kRowTiles][kColumnTiles][4], float scale) {
    float carry[kRowTiles][2];
    bool rising = false;
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = fmaxf(scores[m][0][2 * half], scores[m][0][2 * half + 1]);
#pragma unroll
        for (int n = 1; n < kTokenTiles; ++n) top = fmaxf(top, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
        const float before = max[m][half];
        const float after = fmaxf(before, top * scale);
        // Subtracting the rounded product everywhere keeps weights of all tiles consistent, however large the scores.
        const float shift = after == -kInfinity ? 0.f : after;
        max[m][half] = after;
        carry[m][half] = ptx::exp2(before - shift);
        rising |= after != before;
        float total = 0.f;
#pragma unroll
        for (int n = 0; n < kTokenTiles; ++n) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float &x = scores[m][n][2 * half + e];
            x = ptx::exp2(fmaf(x, scale, -shift));
            total += x;
          }
        }
        sum[m][half] = fmaf(sum[m][half], carry[m][half], total);
      }
    }
    // After the first tiles the maximum rarely moves.
    if (__any_sync(0xffffffffu, rising)) {
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) out[m][n][e] *= carry[m][e / 2];
        }
      }
    }
  }

  // The rows' whole sums, in all four lanes.
  __device__ __forceinline__ void add_up_lanes() {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        sum[m][half] += __shfl_xor_sync(0xffffffffu, sum[m][half], 1);
        sum[m][half] += __shfl_xor_sync(0xffffffffu, sum[m][half], 2);
      }
    }
  }
};

// An empty row's output is 0 and its LSE -inf: here, and nowhere else.
__device__ __forceinline__ float normaliser(float sum) { return sum == 0.f ? 0.f : 1.f / sum; }
__device__ __forceinline__ float natural_lse(float max, float sum) { return sum == 0.f ? -kInfinity : (max + ptx::log2(sum)) * kLn2; }

// Weights as the A fragment of 16 tokens: the C fragments of two neighbouring token tiles are one.
template <int kTokenTiles, typename Dtype>
__device__ __forceinline__ void weights_fragment(u32 (&a)[4], const float (&weights)[kTokenTiles][4], int step, Dtype dtype) {
  a[0] = ptx::pack(weights[2 * step][0], weights[2 * step][1], dtype);
  a[1] = ptx::pack(weights[2 * step][2], weights[2 * step][3], dtype);
  a[2] = ptx::pack(weights[2 * step + 1][0], weights[2 * step + 1][1], dtype);
  a[3] = ptx::pack(weights[2 * step + 1][2], weights[2 * step + 1][3], dtype);
}

}  // namespace fp

// online_softmax.cuh: the running maximum and sum of each row while KV tokens stream past. Everything is in powers of two: a
// score x weighs 2^(scale x - max), with scale = sm_scale log2(e).
#pragma once
#include "parts/attention_params.h"
#include "ptx/convert.cuh"
#include "ptx/math.cuh"

namespace fp {

constexpr float kLn2 = 0.69314718055994530942f;

// x = tanh(cap_scale x), 1 - 2 / (e^2y + 1): exact to about 1e-7 where tanh.approx errs by 5e-4.
__device__ __forceinline__ float soft_cap(float x, float cap_scale) {
  const float k = cap_scale * 2.885390081777927f;  // 2 log2(e)
  return 1.f - 2.f * ptx::reciprocal(ptx::exp2(x * k) + 1.f);
}

template <int kRowTiles, int kTokenTiles>
__device__ __forceinline__ void soft_cap_scores(float (&scores)[kRowTiles][kTokenTiles][4], float cap_scale) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kTokenTiles; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[m][n][e] = soft_cap(scores[m][n][e], cap_scale);
    }
  }
}

// The softmax state of the two rows a thread holds of a 16-row tile, g and g + 8 (g = lane / 4): of its scores, element i belongs to row
// i / 2 % 2. Weights are 2^(scale x - shift). The shift follows the maximum only when that has risen above it by more than kSlack, so that
// most tiles carry nothing over, and no lane asks another for its maximum; weights stay below 2^kSlack, and any shift gives the
// same result.
struct RowSoftmax {
  static constexpr float kSlack = 8.f;
  float shift[2] = {-3e38f, -3e38f};  // finite, so that -inf less this is -inf
  float sum[2] = {0.f, 0.f};          // this lane's share: the four lanes of a row add theirs up at the end

  // Turns scores into weights. True if what was summed up so far, out included, must be multiplied by carry; the sums are already.
  // Masked scores are -inf; no finite stand-in: any finite score may be smaller.
  template <int kScores>
  __device__ __forceinline__ bool update(float (&scores)[kScores], float scale, float (&carry)[2]) {
    float top[2];
    lane_max(scores, top);
    const bool rising = __any_sync(0xffffffffu, rises(top, scale));
    if (rising) raise(top, scale, carry);
    float sums[2];
    weigh(scores, scale, sums);
    add(sums);
    return rising;
  }

  // The rows' whole sums, in all four lanes.
  __device__ __forceinline__ void add_up_lanes() {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
      sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
    }
  }

  // Four chains at a time: the unit's latency is hidden.
  template <int kScores>
  static __device__ __forceinline__ void lane_max(const float (&scores)[kScores], float (&top)[2]) {
    float chains[4] = {scores[0], scores[1], scores[2], scores[3]};
#pragma unroll
    for (int i = 4; i < kScores; ++i) chains[i % 4] = fmaxf(chains[i % 4], scores[i]);
    top[0] = fmaxf(chains[0], chains[1]);
    top[1] = fmaxf(chains[2], chains[3]);
  }

  __device__ __forceinline__ bool rises(const float (&top)[2], float scale) const {
    return top[0] * scale > shift[0] + kSlack || top[1] * scale > shift[1] + kSlack;
  }

  __device__ __forceinline__ void raise(const float (&top)[2], float scale, float (&carry)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float x = fmaxf(top[half], __shfl_xor_sync(0xffffffffu, top[half], 1));
      x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2)) * scale;
      const float before = shift[half];
      shift[half] = fmaxf(before, x);
      carry[half] = ptx::exp2(before - shift[half]);
      sum[half] *= carry[half];
    }
  }

  // Turns scores into weights; `sums` of them, not yet added to the state's.
  template <int kScores>
  __device__ __forceinline__ void weigh(float (&scores)[kScores], float scale, float (&sums)[2]) const {
    float chains[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
    for (int i = 0; i < kScores; ++i) {
      scores[i] = ptx::exp2(fmaf(scores[i], scale, -shift[i / 2 % 2]));
      chains[i % 4] += scores[i];
    }
    sums[0] = chains[0] + chains[1];
    sums[1] = chains[2] + chains[3];
  }

  __device__ __forceinline__ void add(const float (&sums)[2]) {
    sum[0] += sums[0];
    sum[1] += sums[1];
  }
};

// The same for all 16-row tiles of a warp.
template <int kRowTiles>
struct SoftmaxState {
  RowSoftmax rows[kRowTiles];

  // Turns scores into weights; carries sum and out over to the new shift. `is_first`: out is zeros.
  template <int kTokenTiles, int kColumnTiles>
  __device__ __forceinline__ void update(float (&scores)[kRowTiles][kTokenTiles][4], float (&out)[kRowTiles][kColumnTiles][4], float scale, bool is_first = false) {
    float top[kRowTiles][2];
    bool rises = false;
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
      RowSoftmax::lane_max(flat(scores[m]), top[m]);
      rises |= rows[m].rises(top[m], scale);
    }
    if (__any_sync(0xffffffffu, rises)) {
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        float carry[2];
        rows[m].raise(top[m], scale, carry);
        if (is_first) continue;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) out[m][n][e] *= carry[e / 2];
        }
      }
    }
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
      float sums[2];
      rows[m].weigh(flat(scores[m]), scale, sums);
      rows[m].add(sums);
    }
  }

 private:
  template <int kTokenTiles>
  static __device__ __forceinline__ float (&flat(float (&scores)[kTokenTiles][4]))[kTokenTiles * 4] {
    return reinterpret_cast<float (&)[kTokenTiles * 4]>(scores);
  }
};

// An empty row's output is 0 and its LSE -inf: here, and nowhere else.
__device__ __forceinline__ float normaliser(float sum) { return sum == 0.f ? 0.f : ptx::reciprocal(sum); }
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

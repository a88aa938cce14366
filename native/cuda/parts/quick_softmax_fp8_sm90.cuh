// quick_softmax_fp8_sm90.cuh: quick_softmax_sm90.cuh for weights in e4m3, whose range is small: 448 down to 2^-6, and to 2^-9 with fewer bits.
//
// A row's largest weight becomes 2^kTop when the shift is set or raised: from there weights can grow by 3.8 octaves before the shift must be raised, and
// those down to 2^-11 of the largest keep their three bits; below 2^-15 of it they vanish. (FlashAttention-3, section 3.3, puts the largest at 2^8,
// and looks for it in every tile.)
#pragma once
#include "parts/prefill_scales_sm90.cuh"
#include "parts/quick_softmax_sm90.cuh"

namespace fp {

template <>
struct QuickSoftmax<E4m3> : RowSoftmax {
  static constexpr float kTop = 5.f;
  static constexpr float kLargest = 448.f;
  static constexpr float kWorthRaising = 64.f;  // where the sum is large, a shift that makes this 2^kTop spares later tiles the look at the maximum
  static constexpr float kRoom = 8.8073549f;  // log2 of it

  // As RowSoftmax::update, with a factor for each row.
  template <int kScores>
  __device__ __forceinline__ bool update(float (&scores)[kScores], const RowFactors &scale, float (&carry)[2]) {
    float top[2];
    lane_max(scores, top);
    const bool rises = top[0] * scale[0] > shift[0] + kRoom || top[1] * scale[1] > shift[1] + kRoom;
    const bool rising = __any_sync(0xffffffffu, rises);
    if (rising) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float x = fmaxf(top[half], __shfl_xor_sync(0xffffffffu, top[half], 1));
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2)) * scale[half] - kTop;
        const float before = shift[half];
        shift[half] = fmaxf(before, x);
        carry[half] = ptx::exp2(before - shift[half]);
        sum[half] *= carry[half];
      }
    }
    float sums[2];
    weigh(scores, scale, sums);
    add(sums);
    return rising;
  }

  // Turns scores into weights by the shift as it is; `sums` of them are the state's only if they fit. The sum is looked at first: if that fits, every
  // weight does. If not, the largest weight decides. False, for all lanes: some do not fit, or soon would not.
  template <int kScores>
  __device__ __forceinline__ bool weigh_by_shift(float (&scores)[kScores], const RowFactors &scale, float (&sums)[2]) {
    weigh(scores, scale, sums);
    if (__any_sync(0xffffffffu, !(sums[0] + sums[1] <= kLargest))) {
      float top[2];
      lane_max(scores, top);
      if (__any_sync(0xffffffffu, !(fmaxf(top[0], top[1]) <= kWorthRaising && sums[0] + sums[1] < kInfinity))) return false;
    }
    add(sums);
    return true;
  }

  // After that has failed: raises the shift by the weights, which as f32 still say what they are, and makes them smaller by as much. False, for
  // all lanes: not even f32 could hold them, or there are NaN.
  template <int kScores>
  __device__ __forceinline__ bool raise_by_weights(float (&weights)[kScores], const float (&sums)[2], float (&carry)[2]) {
    if (__any_sync(0xffffffffu, !(sums[0] + sums[1] < kInfinity))) return false;
    float top[2];
    lane_max(weights, top);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float x = fmaxf(top[half], __shfl_xor_sync(0xffffffffu, top[half], 1));
      x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
      const float rise = fmaxf(ptx::log2(x) - kTop, 0.f);
      carry[half] = ptx::exp2(-rise);
      shift[half] += rise;
      sum[half] = (sum[half] + sums[half]) * carry[half];
    }
#pragma unroll
    for (int i = 0; i < kScores; ++i) weights[i] *= carry[i / 2 % 2];
    return true;
  }

 private:
  template <int kScores>
  __device__ __forceinline__ void weigh(float (&scores)[kScores], const RowFactors &scale, float (&sums)[2]) const {
    float chains[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
    for (int i = 0; i < kScores; ++i) {
      scores[i] = ptx::exp2(fmaf(scores[i], scale[i / 2 % 2], -shift[i / 2 % 2]));
      chains[i % 4] += scores[i];
    }
    sums[0] = chains[0] + chains[1];
    sums[1] = chains[2] + chains[3];
  }
};

}  // namespace fp

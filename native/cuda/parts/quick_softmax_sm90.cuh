// quick_softmax_sm90.cuh: the softmax state of two rows on Hopper, which looks for maxima only where it must.
//
// Any shift gives the same result as long as no weight leaves the range of its type. So a tile is weighed by the shift there is, and only
// if its weights add up to too much were its maxima needed: then its scores are computed anew, and the shift is raised. Few units ever
// need it, since their first tile sets the shift by true maxima.
#pragma once
#include "parts/online_softmax.cuh"

namespace fp {

// What a lane's weights of a tile may add up to: f16 ends at 2^16; f32 and bf16 at 2^128, less what is left to values.
constexpr float highest_sum(Bf16) { return 0x1p48f; }
constexpr float highest_sum(F16) { return 0x1p15f; }

template <typename Dtype>
struct QuickSoftmax : RowSoftmax {
  // Turns scores into weights by the shift as it is. False, for all lanes: some row's do not fit, the scores are lost, and the state is as
  // it was. NaN does not fit.
  template <int kScores>
  __device__ __forceinline__ bool weigh_by_shift(float (&scores)[kScores], float scale, float (&sums)[2]) {
    weigh(scores, scale, sums);
    if (__any_sync(0xffffffffu, !(sums[0] + sums[1] <= highest_sum(Dtype{})))) return false;
    add(sums);
    return true;
  }
  // Weights that are too large for their type might be infinite in f32 too: there is nothing to be made of them.
  template <int kScores>
  __device__ __forceinline__ bool raise_by_weights(float (&)[kScores], const float (&)[2], float (&)[2]) const {
    return false;
  }
};

}  // namespace fp

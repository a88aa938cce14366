// quick_softmax_sm90.cuh: the softmax state of two rows on Hopper, which has maxima of three integers in one instruction.
#pragma once
#include "parts/online_softmax.cuh"
#include "ptx/integer_max_sm90.cuh"

namespace fp {

// A score is above the limit only if it is above it as an integer of the same bits, if the limit is not below zero: then half as many
// instructions find that no score is. The true maximum is looked for only if one seems to be.
//
// Rows of none but negative scores would be looked at in full each time. With bf16, whose range is that of f32, their limit may as well be
// zero: weights get smaller, and none that counts vanishes.
constexpr float lowest_of_quick_rows(Bf16) { return -64.f; }
constexpr float lowest_of_quick_rows(F16) { return kInfinity; }

template <typename Dtype, bool kEverQuick>
struct QuickSoftmax : RowSoftmax {
  static constexpr i32 kAlways = -0x7fffffff - 1;

  // As RowSoftmax::update. kQuick: no score is masked. unscale: 1 / scale.
  template <bool kQuick, int kScores>
  __device__ __forceinline__ bool update(float (&scores)[kScores], float scale, float unscale, float (&carry)[2]) {
    bool rising = !kQuick || __any_sync(0xffffffffu, may_rise(scores, unscale));
    if (rising) {
      float top[2];
      lane_max(scores, top);
      rising = __any_sync(0xffffffffu, rises(top, scale));
      if (rising) raise(top, scale, carry, kEverQuick ? lowest_of_quick_rows(Dtype{}) : kInfinity);
    }
    weigh(scores, scale);
    return rising;
  }

 private:
  template <int kScores>
  __device__ __forceinline__ bool may_rise(const float (&scores)[kScores], float unscale) const {
    i32 chains[4] = {kAlways, kAlways, kAlways, kAlways};
#pragma unroll
    for (int i = 0; i < kScores; i += 8) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        i32 &chain = chains[2 * half + i / 8 % 2];
        chain = ptx::max3(chain, __float_as_int(scores[i + 2 * half]), __float_as_int(scores[i + 2 * half + 1]));
        chain = ptx::max3(chain, __float_as_int(scores[i + 4 + 2 * half]), __float_as_int(scores[i + 4 + 2 * half + 1]));
      }
    }
    return max(chains[0], chains[1]) > bound(0, unscale) || max(chains[2], chains[3]) > bound(1, unscale);
  }

  // The limit in terms of scores, its bits as an integer.
  __device__ __forceinline__ i32 bound(int half, float unscale) const { return limit[half] >= 0.f ? __float_as_int(limit[half] * unscale) : kAlways; }
};

}  // namespace fp

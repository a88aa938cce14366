// cta_scan.cuh: prefix sums over all threads of a CTA of whole warps, several at a time, with one barrier.
#pragma once
#include "parts/types.cuh"

namespace fp {

template <int kThreads>
class CtaScan {
  static constexpr u32 kWarps = kThreads / 32;
  static constexpr int kMost = 3;  // sums at a time
  static_assert(kThreads % 32 == 0 && kWarps <= 32);

 public:
  // The sums of each warp; two sets in turn, so that one barrier a scan is enough.
  struct Shared {
    u64 values[2][kMost][kWarps];
  };

  // All threads must do the same scans in the same order.
  __device__ __forceinline__ explicit CtaScan(Shared &shared) : shared_(shared), turn_(0) {}

  // Makes each value the sum of those of all threads before this one. `totals`: of all threads.
  template <typename T, int kCount>
  __device__ __forceinline__ void exclusive(T (&values)[kCount], T (&totals)[kCount]) {
    static_assert(kCount <= kMost);
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    auto &sums = shared_.values[turn_];
    turn_ ^= 1;
    T upto[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      upto[i] = in_warp(values[i], lane);
      if (lane == 31) sums[i][warp] = static_cast<u64>(upto[i]);
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const T warps = in_warp(lane < kWarps ? static_cast<T>(sums[i][lane]) : T{0}, lane);
      totals[i] = __shfl_sync(kAll, warps, 31);
      const T before = __shfl_sync(kAll, warps, warp == 0 ? 0 : warp - 1);
      values[i] = upto[i] - values[i] + (warp == 0 ? T{0} : before);
    }
  }

 private:
  static constexpr u32 kAll = 0xffffffffu;

  template <typename T>
  __device__ static __forceinline__ T in_warp(T value, u32 lane) {
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const T before = __shfl_up_sync(kAll, value, step);
      if (lane >= static_cast<u32>(step)) value += before;
    }
    return value;
  }

  Shared &shared_;
  u32 turn_;
};

}  // namespace fp

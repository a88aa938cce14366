// cta_collective.cuh: sums, maxima and scans over all threads of a CTA of whole warps. Results come to every thread, in an order of addition
// that depends on nothing but the number of threads.
#pragma once
#include "parts/types.cuh"

namespace fp {

template <int kThreads>
class CtaCollective {
  static constexpr int kWarps = kThreads / 32;
  static_assert(kThreads % 32 == 0 && kWarps <= 32);

 public:
  // A value of each warp; two sets in turn, so that one barrier an operation is enough.
  struct Shared {
    u64 values[2][kWarps];
  };

  // All threads must do the same operations in the same order.
  __device__ __forceinline__ explicit CtaCollective(Shared &shared) : shared_(shared), turn_(0) {}

  __device__ __forceinline__ u32 sum(u32 value) { return __reduce_add_sync(kAll, static_cast<u32>(exchange(__reduce_add_sync(kAll, value), 0))); }
  __device__ __forceinline__ u32 max(u32 value) { return __reduce_max_sync(kAll, static_cast<u32>(exchange(__reduce_max_sync(kAll, value), 0))); }
  __device__ __forceinline__ u64 max(u64 value) { return warp_max(exchange(warp_max(value), 0)); }
  __device__ __forceinline__ double sum(double value) { return warp_sum(from_bits(exchange(to_bits(warp_sum(value)), 0))); }

  // The sum of this thread's value and those of all before it.
  __device__ __forceinline__ double inclusive_sum(double value, double &total) {
    const double in_warp = warp_scan(value);
    const double warps = warp_scan(from_bits(exchange(to_bits(__shfl_sync(kAll, in_warp, 31)), 0)));
    total = __shfl_sync(kAll, warps, 31);
    const u32 warp = threadIdx.x / 32;
    const double before = __shfl_sync(kAll, warps, warp == 0 ? 0 : warp - 1);
    return warp == 0 ? in_warp : before + in_warp;
  }

 private:
  static constexpr u32 kAll = 0xffffffffu;

  __device__ static __forceinline__ u64 to_bits(double value) { return static_cast<u64>(__double_as_longlong(value)); }
  __device__ static __forceinline__ double from_bits(u64 bits) { return __longlong_as_double(static_cast<i64>(bits)); }

  __device__ static __forceinline__ u64 warp_max(u64 value) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      const u64 other = __shfl_xor_sync(kAll, value, step);
      value = other > value ? other : value;
    }
    return value;
  }

  __device__ static __forceinline__ double warp_sum(double value) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAll, value, step);
    return value;
  }

  __device__ static __forceinline__ double warp_scan(double value) {
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const double before = __shfl_up_sync(kAll, value, step);
      if (threadIdx.x % 32 >= step) value += before;
    }
    return value;
  }

  // Gives each warp's value, which its lanes share, to lane `warp` of every warp; `none` to lanes without one.
  __device__ __forceinline__ u64 exchange(u64 value, u64 none) {
    u64 *values = shared_.values[turn_];
    turn_ ^= 1;
    const u32 lane = threadIdx.x % 32;
    if (lane == 0) values[threadIdx.x / 32] = value;
    __syncthreads();
    return lane < kWarps ? values[lane] : none;
  }

  Shared &shared_;
  u32 turn_;
};

}  // namespace fp

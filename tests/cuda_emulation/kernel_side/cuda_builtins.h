// cuda_builtins.h: CUDA's words, types and built-in functions, as far as the kernels use them, for a C++ compiler. Included before a kernel's source.
#pragma once
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "device_api.h"

// As with NVRTC: kernels see the types that only device code has.
#define __CUDACC_RTC__ 1
#define __device__
#define __host__
#define __forceinline__ inline
#define __global__ __attribute__((visibility("default")))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
// A CTA has an OS thread of its own; its fibers share this.
#define __shared__ thread_local

#define threadIdx (::emulation::current->thread)
#define blockIdx (::emulation::current->block)
#define blockDim (::emulation::current->block_dim)
#define gridDim (::emulation::current->grid_dim)

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

template <typename A, typename B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using Common = std::common_type_t<A, B>;
  return static_cast<Common>(b) < static_cast<Common>(a) ? static_cast<Common>(b) : static_cast<Common>(a);
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using Common = std::common_type_t<A, B>;
  return static_cast<Common>(a) < static_cast<Common>(b) ? static_cast<Common>(b) : static_cast<Common>(a);
}

inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
// Four bytes of y and x, as the digits of `selector` name them: 0 to 3 of x, 4 to 7 of y, from the lowest on.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const unsigned long long both = static_cast<unsigned long long>(y) << 32 | x;
  unsigned bytes = 0;
  for (int i = 0; i < 4; ++i) bytes |= static_cast<unsigned>(both >> (selector >> 4 * i & 7) * 8 & 0xff) << 8 * i;
  return bytes;
}
// To nearest even; for what an int holds.
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

inline void sincospif(float x, float *sine, float *cosine) {
  constexpr double pi = 3.14159265358979323846;
  *sine = static_cast<float>(std::sin(pi * static_cast<double>(x)));
  *cosine = static_cast<float>(std::cos(pi * static_cast<double>(x)));
}

template <typename T>
inline T __ldg(const T *address) {
  return *address;
}
template <typename T>
inline T __ldcg(const T *address) {
  return *address;
}

template <typename T>
inline T atomicAdd(T *address, T value) {
  const T before = *address;
  *address = before + value;
  emulation::after_atomic();
  return before;
}
inline void __threadfence() {}

inline void __syncthreads(emulation::Site site = emulation::Site::current()) { emulation::cta_barrier(0, 0, site); }

#include "warp_functions.h"

// math.cuh: one-instruction approximations. PTX ISA, "Floating Point Instructions": ex2, lg2, rcp.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// 2^x, to 2 ulp; 2^-inf is 0. Results below 2^-126 become 0.
__device__ __forceinline__ float exp2(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(r) : "f"(x));
  return r;
}

// log2(x), absolute error below 2^-22 near 1; log2(0) is -inf.
__device__ __forceinline__ float log2(float x) {
  float r;
  asm("lg2.approx.f32 %0, %1;\n" : "=f"(r) : "f"(x));
  return r;
}

// 1 / x, to 1 ulp; 1 / inf is 0.
__device__ __forceinline__ float reciprocal(float x) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;\n" : "=f"(r) : "f"(x));
  return r;
}

}  // namespace fp::ptx

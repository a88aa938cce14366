// convert.cuh: between f32 and the 16-bit formats. PTX ISA, "Data Movement and Conversion Instructions: cvt".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Two values, rounded to nearest even, `low` in the low half.
__device__ __forceinline__ u32 pack(float low, float high, Bf16) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

__device__ __forceinline__ u32 pack(float low, float high, F16) {
  u32 r;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;\n" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

__device__ __forceinline__ float to_float(u16 value, Bf16) { return __int_as_float(static_cast<i32>(value) << 16); }

__device__ __forceinline__ float to_float(u16 value, F16) {
  float r;
  asm("cvt.f32.f16 %0, %1;\n" : "=f"(r) : "h"(value));
  return r;
}

}  // namespace fp::ptx

// fp8.cuh: between f32 or the 16-bit formats and FP8. PTX ISA, "cvt"; Hopper and Ada have instructions, others compute (parts/fp8_codes.cuh).
#pragma once
#include "parts/fp8_codes.cuh"
#include "ptx/convert.cuh"

namespace fp::ptx {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
#define FP_HAS_FP8 1
#else
#define FP_HAS_FP8 0
#endif

// e4m3 in the high bytes of halves. (Computed, NaN becomes 480.)
__device__ __forceinline__ u32 e4m3_halves_to_f16(u32 halves) {
  u32 r;
  asm("mul.f16x2 %0, %1, %2;\n" : "=r"(r) : "r"(e4m3_halves_as_f16(halves)), "r"(0x5c005c00u));  // 2^8
  return r;
}

// A sum with -0, as there is no product alone before Hopper.
__device__ __forceinline__ u32 e4m3_halves_to_bf16(u32 halves) {
  u32 r;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;\n" : "=r"(r) : "r"(e4m3_halves_as_bf16(halves)), "r"(0x7b807b80u), "r"(0x80008000u));  // 2^120
  return r;
}

__device__ __forceinline__ u32 f16_pair_to_bf16(u32 pair) {
  return pack(to_float(static_cast<u16>(pair), F16{}), to_float(static_cast<u16>(pair >> 16), F16{}), Bf16{});
}

#if FP_HAS_FP8
__device__ __forceinline__ u32 e4m3_pair_to_f16(u16 pair) {
  u32 r;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;\n" : "=r"(r) : "h"(pair));
  return r;
}
#endif

// Four FP8 values, the first in the lowest byte, as two pairs; exact. is_e5m2 must be the same in all lanes, for speed.
__device__ __forceinline__ void fp8_to_pairs(u32 (&pairs)[2], u32 word, bool is_e5m2, F16) {
  if (is_e5m2) {
    pairs[0] = bytes_to_high_halves(word, false);
    pairs[1] = bytes_to_high_halves(word, true);
    return;
  }
#if FP_HAS_FP8
  pairs[0] = e4m3_pair_to_f16(static_cast<u16>(word));
  pairs[1] = e4m3_pair_to_f16(static_cast<u16>(word >> 16));
#else
  pairs[0] = e4m3_halves_to_f16(bytes_to_high_halves(word, false));
  pairs[1] = e4m3_halves_to_f16(bytes_to_high_halves(word, true));
#endif
}

__device__ __forceinline__ void fp8_to_pairs(u32 (&pairs)[2], u32 word, bool is_e5m2, Bf16) {
  if (!FP_HAS_FP8 && !is_e5m2) {
    pairs[0] = e4m3_halves_to_bf16(bytes_to_high_halves(word, false));
    pairs[1] = e4m3_halves_to_bf16(bytes_to_high_halves(word, true));
    return;
  }
  fp8_to_pairs(pairs, word, is_e5m2, F16{});
  pairs[0] = f16_pair_to_bf16(pairs[0]);
  pairs[1] = f16_pair_to_bf16(pairs[1]);
}

// Two f32 as FP8, `low` in the low byte: rounded to nearest even, and what is too large becomes the largest finite number. NaN stays NaN,
// whose sign may be lost.
__device__ __forceinline__ u16 float_to_e4m3(float low, float high) {
#if FP_HAS_FP8
  u16 r;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\n" : "=h"(r) : "f"(high), "f"(low));
  return r;
#else
  return static_cast<u16>(float_to_e4m3_code(low) | float_to_e4m3_code(high) << 8);
#endif
}

__device__ __forceinline__ u16 float_to_e5m2(float low, float high) {
#if FP_HAS_FP8
  u16 r;
  asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;\n" : "=h"(r) : "f"(high), "f"(low));
  return r;
#else
  return static_cast<u16>(float_to_e5m2_code(low) | float_to_e5m2_code(high) << 8);
#endif
}

// Four of them, x0 in the lowest byte.
__device__ __forceinline__ u32 float_to_e4m3(float x0, float x1, float x2, float x3) {
#if FP_HAS_FP8
  u32 r;
  asm("{\n.reg .b16 low, high;\ncvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\ncvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\nmov.b32 %0, {low, high};\n}\n"
      : "=r"(r)
      : "f"(x0), "f"(x1), "f"(x2), "f"(x3));
  return r;
#else
  return static_cast<u32>(float_to_e4m3(x0, x1)) | static_cast<u32>(float_to_e4m3(x2, x3)) << 16;
#endif
}

}  // namespace fp::ptx

// fp8.cuh: between f32 or the 16-bit formats and FP8: e4m3 ("e4m3fn": to 448, no infinity) and e5m2 (the upper half of an f16). PTX ISA, "cvt";
// Hopper and Ada have instructions, others compute.
#pragma once
#include "ptx/convert.cuh"

namespace fp::ptx {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
#define FP_HAS_FP8 1
#else
#define FP_HAS_FP8 0
#endif

// Bytes 0 and 1 of `word`, or 2 and 3, as the high bytes of two 16-bit halves.
__device__ __forceinline__ u32 bytes_to_high_halves(u32 word, bool upper) { return __byte_perm(word, 0, upper ? 0x3424 : 0x1404); }

// e4m3 in the high bytes of halves, as f16: the same fields, whose exponents mean 2^8 less. (Computed, NaN becomes 480.)
__device__ __forceinline__ u32 e4m3_halves_to_f16(u32 halves) {
  const u32 fields = (halves & 0x80008000u) | (halves >> 1 & 0x3f803f80u);
  u32 r;
  asm("mul.f16x2 %0, %1, %2;\n" : "=r"(r) : "r"(fields), "r"(0x5c005c00u));  // 256
  return r;
}

// The same as bf16, where they mean 2^120 less. A sum with -0, as there is no product alone before Hopper.
__device__ __forceinline__ u32 e4m3_halves_to_bf16(u32 halves) {
  const u32 fields = (halves & 0x80008000u) | (halves >> 4 & 0x07f007f0u);
  u32 r;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;\n" : "=r"(r) : "r"(fields), "r"(0x7b807b80u), "r"(0x80008000u));  // 2^120
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

// Two f32 as FP8, `low` in the low byte: rounded to nearest even, and what is too large becomes the largest finite number. NaN stays NaN.
__device__ __forceinline__ u16 float_to_e4m3(float low, float high) {
#if FP_HAS_FP8
  u16 r;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\n" : "=h"(r) : "f"(high), "f"(low));
  return r;
#else
  u32 codes = 0;
  const float x[2] = {low, high};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const u32 bits = __float_as_uint(x[i]);
    const float size = fminf(__uint_as_float(bits & 0x7fffffffu), 448.f);
    // From 2^-6 on the exponent field counts; below, steps of 2^-9. Rounding may carry into it.
    const u32 size_bits = __float_as_uint(size);
    const u32 rounded = size_bits + 0x7ffffu + (size_bits >> 20 & 1u);
    u32 code = size < 0.015625f ? static_cast<u32>(__float2int_rn(size * 512.f)) : (rounded >> 20) - (120u << 3);
    if (x[i] != x[i]) code = 0x7f;
    codes |= (code | bits >> 24 & 0x80u) << 8 * i;
  }
  return static_cast<u16>(codes);
#endif
}

__device__ __forceinline__ u16 float_to_e5m2(float low, float high) {
#if FP_HAS_FP8
  u16 r;
  asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;\n" : "=h"(r) : "f"(high), "f"(low));
  return r;
#else
  u32 codes = 0;
  const float x[2] = {low, high};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const u32 bits = __float_as_uint(x[i]);
    const float size = fminf(__uint_as_float(bits & 0x7fffffffu), 57344.f);
    // From 2^-14 on the exponent field counts; below, steps of 2^-16.
    const u32 size_bits = __float_as_uint(size);
    const u32 rounded = size_bits + 0xfffffu + (size_bits >> 21 & 1u);
    u32 code = size < 6.103515625e-5f ? static_cast<u32>(__float2int_rn(size * 65536.f)) : (rounded >> 21) - (112u << 2);
    if (x[i] != x[i]) code = 0x7f;
    codes |= (code | bits >> 24 & 0x80u) << 8 * i;
  }
  return static_cast<u16>(codes);
#endif
}

}  // namespace fp::ptx

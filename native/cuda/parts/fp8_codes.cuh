// fp8_codes.cuh: FP8 by its bits, for GPUs without instructions for it: e4m3 ("e4m3fn": to 448, no infinity) and e5m2 (the upper half of an
// f16). No raw instructions, so that tests run it anywhere; ptx/fp8.cuh is what kernels call.
#pragma once
#include "parts/types.cuh"

namespace fp {

// Bytes 0 and 1 of `word`, or 2 and 3, as the high bytes of two 16-bit halves.
__device__ __forceinline__ u32 bytes_to_high_halves(u32 word, bool upper) { return __byte_perm(word, 0, upper ? 0x3424 : 0x1404); }

// e4m3 in the high bytes of halves, its fields where f16 has them, whose exponents mean 2^8 less. (NaN becomes 480 / 2^8.)
__device__ __forceinline__ u32 e4m3_halves_as_f16(u32 halves) { return (halves & 0x80008000u) | (halves >> 1 & 0x3f803f80u); }

// The same where bf16 has them, whose exponents mean 2^120 less.
__device__ __forceinline__ u32 e4m3_halves_as_bf16(u32 halves) { return (halves & 0x80008000u) | (halves >> 4 & 0x07f007f0u); }

// The code of x: rounded to nearest even, and what is too large becomes the largest finite number. NaN stays NaN.
// kMantissaBits after the exponent; the smallest normal number is 2^(1 - kBias).
template <int kMantissaBits, int kBias>
__device__ __forceinline__ u32 float_to_fp8_code(float x, float largest) {
  constexpr int kShift = 23 - kMantissaBits;
  constexpr float kSmallestNormal = __builtin_bit_cast(float, (128 - kBias) << 23);
  constexpr float kUnitsPerOne = __builtin_bit_cast(float, (126 + kBias + kMantissaBits) << 23);  // a unit is the smallest subnormal
  const u32 bits = __float_as_uint(x);
  const float size = fminf(__uint_as_float(bits & 0x7fffffffu), largest);
  const u32 size_bits = __float_as_uint(size);
  // Of normal numbers the exponent moves along; rounding may carry into it.
  const u32 rounded = size_bits + (1u << (kShift - 1)) - 1 + (size_bits >> kShift & 1u);
  u32 code = size < kSmallestNormal ? static_cast<u32>(__float2int_rn(size * kUnitsPerOne)) : (rounded >> kShift) - ((127u - kBias) << kMantissaBits);
  if (x != x) code = 0x7f;
  return code | (bits >> 24 & 0x80u);
}

__device__ __forceinline__ u32 float_to_e4m3_code(float x) { return float_to_fp8_code<3, 7>(x, 448.f); }
__device__ __forceinline__ u32 float_to_e5m2_code(float x) { return float_to_fp8_code<2, 15>(x, 57344.f); }

}  // namespace fp

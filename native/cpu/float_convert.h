// float_convert.h: f16 and bf16 to float and back, one element at a time, and the sizes of elements. For baseline files only (files of wider instruction sets have
// their own, so that the linker never hands one of theirs to a processor without them).
#pragma once
#include <cstdint>
#include <cstring>

#include "../flashpage.h"

namespace fp::cpu {

// Of any float dtype, FP8 included.
inline int float_bytes(int dtype) { return dtype == FP_F32 ? 4 : dtype == FP_F16 || dtype == FP_BF16 ? 2 : 1; }

inline float bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

inline float bf16_to_float(uint16_t bits) { return bits_to_float(static_cast<uint32_t>(bits) << 16); }

// Rounds to nearest even; NaN stays NaN.
inline uint16_t float_to_bf16(float value) {
  const uint32_t bits = float_to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

// Exact: the half's fields are put where a float's are, and the exponent's bias is corrected by a product.
inline float f16_to_float(uint16_t bits) {
  const uint32_t shifted = (bits & 0x7fffu) << 13;
  const uint32_t magnitude = (bits & 0x7c00u) == 0x7c00u ? shifted | 0x7f800000u : float_to_bits(bits_to_float(shifted) * 0x1p112f);
  return bits_to_float(magnitude | (bits & 0x8000u) << 16);
}

// Rounds to nearest even; too large values become infinite, NaN stays NaN.
inline uint16_t float_to_f16(float value) {
  const uint32_t bits = float_to_bits(value), magnitude = bits & 0x7fffffffu;
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
  // Below the normal range the sum's last bit is worth 2^-24, so the addition rounds as a subnormal half does.
  if (magnitude < 0x38800000u) return sign | static_cast<uint16_t>(float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000u);
  return sign | static_cast<uint16_t>((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13);
}

// Exact: as f16_to_float, with e4m3's fields. NaN is the pattern of all ones.
inline float e4m3_to_float(uint8_t bits) {
  const uint32_t magnitude = (bits & 0x7fu) == 0x7fu ? 0x7fc00000u : float_to_bits(bits_to_float((bits & 0x7fu) << 20) * 0x1p120f);
  return bits_to_float(magnitude | (bits & 0x80u) << 24);
}

// `count` elements of an array of `dtype`, from `offset` on.
inline void load_floats(int dtype, const void *base, int64_t offset, int64_t count, float *out) {
  if (dtype == FP_F32) {
    memcpy(out, static_cast<const float *>(base) + offset, static_cast<size_t>(count) * 4);
    return;
  }
  const uint16_t *source = static_cast<const uint16_t *>(base) + offset;
  if (dtype == FP_BF16) {
    for (int64_t i = 0; i < count; i++) out[i] = bf16_to_float(source[i]);
  } else {
    for (int64_t i = 0; i < count; i++) out[i] = f16_to_float(source[i]);
  }
}

}  // namespace fp::cpu

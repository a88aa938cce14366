// half.h: the 16-bit formats as floats.
#pragma once
#include <bit>

#include "device_api.h"

namespace emulation {

// f16 by its bits, moved to where f32 has them. The product makes up for the exponents' different bias, subnormals included.
inline float f16_to_float(u16 bits) {
  const u32 magnitude = (bits & 0x7fffu) << 13;
  const float value = magnitude >= 0x7c00u << 13 ? std::bit_cast<float>(magnitude | 0x7f800000u) : std::bit_cast<float>(magnitude) * 0x1p112f;
  return std::bit_cast<float>(std::bit_cast<u32>(value) | (bits & 0x8000u) << 16);
}

// Rounded to nearest even; not for NaN.
inline u16 float_to_f16(float value) {
  const u32 bits = std::bit_cast<u32>(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude >= std::bit_cast<u32>(65520.f)) return static_cast<u16>(sign | 0x7c00u);
  // Below 2^-14 the unit is 2^-24, which is that of f32 between 1/2 and 1: the addition rounds.
  if (magnitude < std::bit_cast<u32>(0x1p-14f)) return static_cast<u16>(sign | (std::bit_cast<u32>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<u32>(0.5f)));
  return static_cast<u16>(sign | (((magnitude + 0xfffu + (magnitude >> 13 & 1)) >> 13) - (112u << 10)));
}

template <Half kType>
inline float half_to_float(u16 bits) {
  if constexpr (kType == Half::bf16) {
    return std::bit_cast<float>(static_cast<u32>(bits) << 16);
  } else {
    return f16_to_float(bits);
  }
}

// Rounded to nearest even; NaN becomes the one that the hardware makes.
template <Half kType>
inline u16 float_to_half(float value) {
  if (value != value) return 0x7fff;
  if constexpr (kType == Half::bf16) {
    const u32 bits = std::bit_cast<u32>(value);
    return static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  } else {
    return float_to_f16(value);
  }
}

}  // namespace emulation

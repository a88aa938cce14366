// half.h: the 16-bit formats, and FP8, as floats.
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

// e4m3: a sign, four bits of exponent less 7, three of mantissa; no infinity, and all ones are NaN.
inline float e4m3_to_float(unsigned char bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if ((bits & 0x7f) == 0x7f) return std::bit_cast<float>(0x7fc00000u);
  const float size = exponent == 0 ? static_cast<float>(mantissa) * 0x1p-9f : std::bit_cast<float>(static_cast<u32>(exponent + 120) << 23 | static_cast<u32>(mantissa) << 20);
  return bits & 0x80 ? -size : size;
}

template <Format kType>
inline float half_to_float(u16 bits) {
  if constexpr (kType == Format::bf16) {
    return std::bit_cast<float>(static_cast<u32>(bits) << 16);
  } else {
    return f16_to_float(bits);
  }
}

// Rounded to nearest even; NaN becomes the one that the hardware makes.
template <Format kType>
inline u16 float_to_half(float value) {
  if (value != value) return 0x7fff;
  if constexpr (kType == Format::bf16) {
    const u32 bits = std::bit_cast<u32>(value);
    return static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  } else {
    return float_to_f16(value);
  }
}

// Of elements by their place in a word: element i of it.
template <Format kType>
inline float element_of(u32 word, int i) {
  if constexpr (kType == Format::e4m3) {
    return e4m3_to_float(static_cast<unsigned char>(word >> 8 * i));
  } else {
    return half_to_float<kType>(static_cast<u16>(word >> 16 * i));
  }
}
template <Format kType>
constexpr int elements_of_word = kType == Format::e4m3 ? 4 : 2;

}  // namespace emulation

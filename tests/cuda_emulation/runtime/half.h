// half.h: the 16-bit formats as floats.
#pragma once
#include <bit>

#include "device_api.h"

namespace emulation {

template <Half kType>
inline float half_to_float(u16 bits) {
  if constexpr (kType == Half::bf16) {
    return std::bit_cast<float>(static_cast<u32>(bits) << 16);
  } else {
    return static_cast<float>(std::bit_cast<_Float16>(bits));
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
    return std::bit_cast<u16>(static_cast<_Float16>(value));
  }
}

}  // namespace emulation

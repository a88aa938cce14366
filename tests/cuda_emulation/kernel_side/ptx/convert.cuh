// convert.cuh: emulates native/cuda/ptx/convert.cuh.
#pragma once
#include "half.h"
#include "parts/types.cuh"

namespace fp::ptx {

// The tag of a format as the runtime names it.
constexpr emulation::Half half_of(Bf16) { return emulation::Half::bf16; }
constexpr emulation::Half half_of(F16) { return emulation::Half::f16; }

template <typename Dtype>
inline u32 pack(float low, float high, Dtype) {
  constexpr emulation::Half kType = half_of(Dtype{});
  return static_cast<u32>(emulation::float_to_half<kType>(high)) << 16 | emulation::float_to_half<kType>(low);
}

template <typename Dtype>
inline float to_float(u16 value, Dtype) {
  return emulation::half_to_float<half_of(Dtype{})>(value);
}

}  // namespace fp::ptx

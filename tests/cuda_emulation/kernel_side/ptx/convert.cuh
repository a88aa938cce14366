// convert.cuh: emulates native/cuda/ptx/convert.cuh.
#pragma once
#include "half.h"
#include "parts/types.cuh"

namespace fp::ptx {

// The tag of a format as the runtime names it.
constexpr emulation::Format format_of(Bf16) { return emulation::Format::bf16; }
constexpr emulation::Format format_of(F16) { return emulation::Format::f16; }

template <typename Dtype>
inline u32 pack(float low, float high, Dtype) {
  constexpr emulation::Format kType = format_of(Dtype{});
  return static_cast<u32>(emulation::float_to_half<kType>(high)) << 16 | emulation::float_to_half<kType>(low);
}

template <typename Dtype>
inline float to_float(u16 value, Dtype) {
  return emulation::half_to_float<format_of(Dtype{})>(value);
}

}  // namespace fp::ptx

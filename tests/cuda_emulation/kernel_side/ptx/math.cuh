// math.cuh: emulates native/cuda/ptx/math.cuh. Results are closer than the instructions'; what becomes 0 is the same.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline float flush(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.f, x) : x; }

inline float exp2(float x) { return flush(::exp2f(flush(x))); }
inline float log2(float x) { return ::log2f(x); }
inline float reciprocal(float x) { return flush(1.f / flush(x)); }

}  // namespace fp::ptx

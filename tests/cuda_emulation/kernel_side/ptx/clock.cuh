// clock.cuh: emulates native/cuda/ptx/clock.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline u64 nanoseconds() { return emulation::nanoseconds(); }
inline u32 multiprocessor() { return emulation::multiprocessor(); }

}  // namespace fp::ptx

// atomic.cuh: emulates native/cuda/ptx/atomic.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline i32 atomic_add_acq_rel(i32 *address, i32 x) { return atomicAdd(address, x); }

}  // namespace fp::ptx

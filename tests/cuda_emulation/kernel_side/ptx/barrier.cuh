// barrier.cuh: emulates native/cuda/ptx/barrier.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

template <int kThreads>
inline void named_barrier(u32 id, emulation::Site site = emulation::Site::current()) {
  emulation::cta_barrier(id, kThreads, site);
}

}  // namespace fp::ptx

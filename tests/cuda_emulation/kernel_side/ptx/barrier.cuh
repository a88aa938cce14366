// barrier.cuh: emulates native/cuda/ptx/barrier.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

template <int kThreads>
inline void named_barrier(u32 id, emulation::Site site = emulation::Site::current()) {
  emulation::cta_barrier(id, kThreads, true, site);
}

template <int kThreads>
inline void named_barrier_arrive(u32 id, emulation::Site site = emulation::Site::current()) {
  emulation::cta_barrier(id, kThreads, false, site);
}

}  // namespace fp::ptx

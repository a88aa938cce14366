// warpgroup.cuh: emulates native/cuda/ptx/warpgroup.cuh. Fibers have all the registers they want.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

template <int kRegisters>
inline void take_registers() {}
template <int kRegisters>
inline void give_registers() {}

// Fails unless all lanes have the same x.
inline i32 uniform(i32 x, emulation::Site site = emulation::Site::current()) {
  const i32 largest = emulation::reduce<i32, emulation::larger<i32>>("uniform", 0xffffffffu, x, site);
  if (x != largest) emulation::fail(site, "%d is said to be uniform, and another lane has %d", x, largest);
  return x;
}

}  // namespace fp::ptx

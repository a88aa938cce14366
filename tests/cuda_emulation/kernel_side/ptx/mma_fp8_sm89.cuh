// mma_fp8_sm89.cuh: emulates native/cuda/ptx/mma_fp8_sm89.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, E4m3, emulation::Site site = emulation::Site::current()) {
  emulation::mma_m16n8k32_e4m3(c, a, b0, b1, site);
}

}  // namespace fp::ptx

// stmatrix_sm90.cuh: emulates native/cuda/ptx/stmatrix_sm90.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline void stmatrix_x4(u32 address, const u32 (&r)[4], emulation::Site site = emulation::Site::current()) { emulation::stmatrix_x4(address, r, site); }

}  // namespace fp::ptx

// mma_sm80.cuh: emulates native/cuda/ptx/mma_sm80.cuh.
#pragma once
#include "ptx/convert.cuh"

namespace fp::ptx {

inline void ldmatrix_x4(u32 (&r)[4], u32 address, emulation::Site site = emulation::Site::current()) { emulation::ldmatrix_x4(r, address, false, site); }
inline void ldmatrix_x4_transposed(u32 (&r)[4], u32 address, emulation::Site site = emulation::Site::current()) { emulation::ldmatrix_x4(r, address, true, site); }

template <typename Dtype>
inline void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, Dtype, emulation::Site site = emulation::Site::current()) {
  emulation::mma_m16n8k16(c, a, b0, b1, format_of(Dtype{}), site);
}

}  // namespace fp::ptx

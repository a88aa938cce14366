// wgmma_fp8_sm90.cuh: emulates native/cuda/ptx/wgmma_fp8_sm90.cuh.
#pragma once
#include "ptx/wgmma_sm90.cuh"

namespace fp::ptx {

template <int kN>
struct Wgmma<kN, E4m3, 0> {
  static void shared(float (&d)[kN / 2], MatrixDescriptor a, MatrixDescriptor b, int accumulate, emulation::Site site = emulation::Site::current()) {
    emulation::wgmma_issue({kN, emulation::Format::e4m3, false, accumulate != 0, d, nullptr, a.bits(), b.bits()}, site);
  }
  static void registers(float (&d)[kN / 2], const u32 (&a)[4], MatrixDescriptor b, int accumulate, emulation::Site site = emulation::Site::current()) {
    emulation::wgmma_issue({kN, emulation::Format::e4m3, false, accumulate != 0, d, a, 0, b.bits()}, site);
  }
};

}  // namespace fp::ptx

// wgmma_sm90.cuh: emulates native/cuda/ptx/wgmma_sm90.cuh.
#pragma once
#include "ptx/convert.cuh"

namespace fp::ptx {

inline void wgmma_fence() { emulation::wgmma_fence(); }
inline void wgmma_commit(emulation::Site site = emulation::Site::current()) { emulation::wgmma_commit(site); }
template <int kPending>
inline void wgmma_wait(emulation::Site site = emulation::Site::current()) {
  emulation::wgmma_wait(kPending, site);
}

// The products' addresses are known to the runtime, so the compiler keeps the accumulators in memory.
template <int kCount>
inline void wgmma_pin(float (&)[kCount]) {}
inline void finish_first(float) {}

struct MatrixDescriptor {
  u32 low;
  u32 high;
  u64 bits() const { return static_cast<u64>(high) << 32 | low; }
  MatrixDescriptor uniform() const { return *this; }
  MatrixDescriptor from(u32 bytes) const { return {low + (bytes >> 4), high}; }
};
inline MatrixDescriptor matrix_descriptor(u32 address, u32 columns_apart, u32 rows_apart, bool wide) {
  return {address >> 4 | columns_apart >> 4 << 16, rows_apart >> 4 | (wide ? 1u : 2u) << 30};
}

template <int kN, typename Dtype, int kTransposeB>
struct Wgmma {
  static void shared(float (&d)[kN / 2], MatrixDescriptor a, MatrixDescriptor b, int accumulate, emulation::Site site = emulation::Site::current()) {
    emulation::wgmma_issue({kN, format_of(Dtype{}), kTransposeB != 0, accumulate != 0, d, nullptr, a.bits(), b.bits()}, site);
  }
  static void registers(float (&d)[kN / 2], const u32 (&a)[4], MatrixDescriptor b, int accumulate, emulation::Site site = emulation::Site::current()) {
    emulation::wgmma_issue({kN, format_of(Dtype{}), kTransposeB != 0, accumulate != 0, d, a, 0, b.bits()}, site);
  }
};

}  // namespace fp::ptx

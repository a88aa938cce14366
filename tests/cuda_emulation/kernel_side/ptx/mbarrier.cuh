// mbarrier.cuh: emulates native/cuda/ptx/mbarrier.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline void mbarrier_init(u32 barrier, u32 num_arrivals, emulation::Site site = emulation::Site::current()) { emulation::mbarrier_init(barrier, num_arrivals, site); }
inline void mbarrier_fence_init() {}
inline void mbarrier_arrive(u32 barrier, emulation::Site site = emulation::Site::current()) { emulation::mbarrier_arrive(barrier, 0, site); }
inline void mbarrier_arrive_expect(u32 barrier, u32 num_bytes, emulation::Site site = emulation::Site::current()) {
  emulation::mbarrier_arrive(barrier, num_bytes, site);
}
inline void mbarrier_wait(u32 barrier, u32 parity, emulation::Site site = emulation::Site::current()) { emulation::mbarrier_wait(barrier, parity, site); }
inline void mbarrier_wait_asleep(u32 barrier, u32 parity, emulation::Site site = emulation::Site::current()) { emulation::mbarrier_wait(barrier, parity, site); }
// The instruction may wait as long as it likes; so this one waits until it can say yes.
inline bool mbarrier_try_wait(u32 barrier, u32 parity, emulation::Site site = emulation::Site::current()) {
  emulation::mbarrier_wait(barrier, parity, site);
  return true;
}

}  // namespace fp::ptx

// cp_async.cuh: emulates native/cuda/ptx/cp_async.cuh.
#pragma once
#include "ptx/address.cuh"

namespace fp::ptx {

inline void cp_async_16(u32 target, const void *source, emulation::Site site = emulation::Site::current()) { emulation::cp_async(target, source, 16, true, site); }
inline void cp_async_16_or_zero(u32 target, const void *source, bool valid, emulation::Site site = emulation::Site::current()) {
  emulation::cp_async(target, source, 16, valid, site);
}
inline void cp_async_4_or_zero(u32 target, const void *source, bool valid, emulation::Site site = emulation::Site::current()) {
  emulation::cp_async(target, source, 4, valid, site);
}
inline void cp_async_4(u32 target, const void *source, emulation::Site site = emulation::Site::current()) { emulation::cp_async(target, source, 4, true, site); }
inline void cp_async_arrive(u32 barrier, emulation::Site site = emulation::Site::current()) { emulation::cp_async_arrive(barrier, site); }
inline void cp_async_commit() { emulation::cp_async_commit(); }
template <int kPending>
inline void cp_async_wait(emulation::Site site = emulation::Site::current()) {
  emulation::cp_async_wait(kPending, site);
}
inline void cp_async_wait_all(emulation::Site site = emulation::Site::current()) {
  emulation::cp_async_commit();
  emulation::cp_async_wait(0, site);
}

}  // namespace fp::ptx

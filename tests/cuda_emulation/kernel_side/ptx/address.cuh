// address.cuh: emulates native/cuda/ptx/address.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline u32 shared_address(const void *pointer, emulation::Site site = emulation::Site::current()) { return emulation::shared_address(pointer, site); }
inline u32 lane_anew() { return emulation::current->thread.x % 32; }
inline u32 thread_anew() { return emulation::current->thread.x; }

}  // namespace fp::ptx

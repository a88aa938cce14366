// load.cuh: emulates native/cuda/ptx/load.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline uint4 load_once_16(const void *address) { return *static_cast<const uint4 *>(address); }
inline i32 load_now(const i32 *address) { return *address; }
inline float load_written(const float *address) { return *address; }
inline float4 load_written_4(const void *address) { return *static_cast<const float4 *>(address); }
// Reads, so that a place that does not exist is found.
inline void prefetch_l2(const void *address) { static_cast<void>(*static_cast<const volatile u8 *>(address)); }

}  // namespace fp::ptx

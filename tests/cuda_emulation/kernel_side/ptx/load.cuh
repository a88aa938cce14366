// load.cuh: emulates native/cuda/ptx/load.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

inline uint4 load_once_16(const void *address) { return *static_cast<const uint4 *>(address); }

}  // namespace fp::ptx

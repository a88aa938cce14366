// address.cuh: addresses as instructions take them. PTX ISA, "State Spaces: shared".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// The address of shared memory.
__device__ __forceinline__ u32 shared_address(const void *pointer) { return static_cast<u32>(__cvta_generic_to_shared(pointer)); }

}  // namespace fp::ptx

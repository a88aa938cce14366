// address.cuh: addresses as instructions take them. PTX ISA, "State Spaces: shared".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// The address of shared memory.
__device__ __forceinline__ u32 shared_address(const void *pointer) { return static_cast<u32>(__cvta_generic_to_shared(pointer)); }

// This thread's lane, or its number, read again wherever it is asked for: for values that would otherwise be kept in registers.
__device__ __forceinline__ u32 lane_anew() {
  u32 lane;
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
  return lane;
}

__device__ __forceinline__ u32 thread_anew() {
  u32 thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

}  // namespace fp::ptx

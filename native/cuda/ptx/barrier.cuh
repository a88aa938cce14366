// barrier.cuh: barriers of some of a CTA's warps. PTX ISA, "Parallel Synchronization and Communication Instructions: bar".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Barrier `id` (1..15; 0 is __syncthreads) of kThreads threads, whole warps.
template <int kThreads>
__device__ __forceinline__ void named_barrier(u32 id) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(id), "n"(kThreads) : "memory");
}

}  // namespace fp::ptx

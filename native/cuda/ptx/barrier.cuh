// barrier.cuh: barriers of some of a CTA's warps. PTX ISA, "Parallel Synchronization and Communication Instructions: bar".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Barrier `id` (1..15; 0 is __syncthreads) of kThreads threads, whole warps.
template <int kThreads>
__device__ __forceinline__ void named_barrier(u32 id) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(id), "n"(kThreads) : "memory");
}

// Arrives without waiting; others wait with the same id and number of threads.
template <int kThreads>
__device__ __forceinline__ void named_barrier_arrive(u32 id) {
  asm volatile("bar.arrive %0, %1;\n" ::"r"(id), "n"(kThreads) : "memory");
}

}  // namespace fp::ptx

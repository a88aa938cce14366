// atomic.cuh: atomics that order other accesses. PTX ISA, "Parallel Synchronization and Communication Instructions: atom".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Gives the value before. What this thread has written, or has seen written by others at a barrier, is seen by whoever reads after an atomic
// of this kind that saw this one.
__device__ __forceinline__ i32 atomic_add_acq_rel(i32 *address, i32 x) {
  i32 before;
  asm volatile("atom.add.acq_rel.gpu.global.s32 %0, [%1], %2;\n" : "=r"(before) : "l"(address), "r"(x) : "memory");
  return before;
}

}  // namespace fp::ptx

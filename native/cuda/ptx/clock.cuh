// clock.cuh: when and where code runs. PTX ISA, "Special Registers: %globaltimer, %smid".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Nanoseconds of a clock that all SMs share. It moves on in steps, of 32 ns to a microsecond, depending on the GPU.
__device__ __forceinline__ u64 nanoseconds() {
  u64 now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

// The SM that runs this thread.
__device__ __forceinline__ u32 multiprocessor() {
  u32 sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  return sm;
}

}  // namespace fp::ptx

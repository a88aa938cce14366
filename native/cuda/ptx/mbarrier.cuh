// mbarrier.cuh: barriers in shared memory that count arrivals and bytes. PTX ISA, "Parallel Synchronization and Communication
// Instructions: mbarrier". A phase ends when all arrivals expected and all bytes expected have come; waiting names a phase by its parity.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

__device__ __forceinline__ void mbarrier_init(u32 barrier, u32 num_arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(barrier), "r"(num_arrivals) : "memory");
}

// Makes initialised barriers known to the copy engine. By the initialising thread, before the CTA's barrier.
__device__ __forceinline__ void mbarrier_fence_init() { asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory"); }

__device__ __forceinline__ void mbarrier_arrive(u32 barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(barrier) : "memory"); }

// Arrives, and lets the phase wait for so many bytes of bulk copies.
__device__ __forceinline__ void mbarrier_arrive_expect(u32 barrier, u32 num_bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(barrier), "r"(num_bytes) : "memory");
}

__device__ __forceinline__ bool mbarrier_try_wait(u32 barrier, u32 parity) {
  u32 done;
  asm volatile(
      "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}\n"
      : "=r"(done)
      : "r"(barrier), "r"(parity)
      : "memory");
  return done != 0;
}

// Returns once the phase of that parity has ended.
__device__ __forceinline__ void mbarrier_wait(u32 barrier, u32 parity) {
  while (!mbarrier_try_wait(barrier, parity)) {
  }
}

// The same, for what lies far ahead of its use: leaves the issue slots to others.
__device__ __forceinline__ void mbarrier_wait_asleep(u32 barrier, u32 parity) {
  while (!mbarrier_try_wait(barrier, parity)) asm volatile("nanosleep.u32 100;\n" ::: "memory");
}

}  // namespace fp::ptx

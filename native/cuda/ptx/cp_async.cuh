// cp_async.cuh: asynchronous copies from global to shared memory. PTX ISA, "Non-bulk copy: cp.async" and its groups.
#pragma once
#include "ptx/address.cuh"

namespace fp::ptx {

// 16 bytes, past L1. Both addresses are multiples of 16. The rest of the 128-byte line is fetched into L2 on the way.
__device__ __forceinline__ void cp_async_16(u32 target, const void *source) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;\n" ::"r"(target), "l"(source) : "memory");
}

// As above if `valid`; else writes 16 zero bytes and reads nothing, though `source` must still be an address that exists.
__device__ __forceinline__ void cp_async_16_or_zero(u32 target, const void *source, bool valid) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;\n" ::"r"(target), "l"(source), "r"(valid ? 16 : 0) : "memory");
}

// 4 bytes, through L1.
__device__ __forceinline__ void cp_async_4(u32 target, const void *source) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;\n" ::"r"(target), "l"(source) : "memory");
}

// As cp_async_16_or_zero, of 4 bytes.
__device__ __forceinline__ void cp_async_4_or_zero(u32 target, const void *source, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(target), "l"(source), "r"(valid ? 4 : 0) : "memory");
}

// Arrives at an mbarrier once all of this thread's copies so far are done. The barrier must expect the arrival.
__device__ __forceinline__ void cp_async_arrive(u32 barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];\n" ::"r"(barrier) : "memory");
}

// Closes the group of this thread's copies since the last one. A group may be empty.
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Waits until at most kPending of this thread's groups, the latest ones, are under way. Others see the bytes after a barrier.
template <int kPending>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

// Waits for all of this thread's copies, of whatever group.
__device__ __forceinline__ void cp_async_wait_all() { asm volatile("cp.async.wait_all;\n" ::: "memory"); }

}  // namespace fp::ptx

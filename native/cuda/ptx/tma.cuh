// tma.cuh: Hopper's copy engine. PTX ISA, "Data Movement and Conversion Instructions: cp.async.bulk.tensor", and "prefetch.tensormap".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// What the driver's cuTensorMapEncodeTiled writes. A kernel parameter.
struct alignas(64) TensorMap {
  u64 words[16];
};

// Loads the map into the engine's cache ahead of its first use.
__device__ __forceinline__ void tma_prefetch(const TensorMap &map) { asm volatile("prefetch.tensormap [%0];\n" ::"l"(&map) : "memory"); }

// Copies a box of a five-dimensional tensor to shared memory; what lies outside of the tensor becomes zero. The bytes of the
// whole box count at the barrier.
__device__ __forceinline__ void tma_load_5d(u32 target, const TensorMap &map, i32 c0, i32 c1, i32 c2, i32 c3, i32 c4, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5, %6}], [%7];\n" ::"r"(target), "l"(&map),
      "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4), "r"(barrier)
      : "memory");
}

// Orders this thread's ordinary accesses to shared memory before what the copy engine and the matrix units do there afterwards.
__device__ __forceinline__ void fence_async_shared() { asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory"); }

}  // namespace fp::ptx

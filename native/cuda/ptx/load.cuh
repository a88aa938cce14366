// load.cuh: reads with a cache hint. PTX ISA, "Data Movement and Conversion Instructions: ld.global.nc" and "prefetch".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// 16 bytes that are read once and that no one writes meanwhile: they don't push others out of L1. `address`: a multiple of 16.
__device__ __forceinline__ uint4 load_once_16(const void *address) {
  uint4 r;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];\n" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(address));
  return r;
}

// 4 bytes that no one writes meanwhile, asked for here and not, as the compiler would have it, where they are used: it leaves reads of which memory's
// order speaks where they are.
__device__ __forceinline__ i32 load_now(const i32 *address) {
  i32 r;
  asm volatile("ld.relaxed.cta.global.s32 %0, [%1];\n" : "=r"(r) : "l"(address));
  return r;
}

// What others have written in this launch, which an acquire before says is there; asked for here likewise.
__device__ __forceinline__ float load_written(const float *address) {
  float r;
  asm volatile("ld.relaxed.gpu.global.f32 %0, [%1];\n" : "=f"(r) : "l"(address));
  return r;
}

// The same of 16 bytes. `address`: a multiple of 16.
__device__ __forceinline__ float4 load_written_4(const void *address) {
  float4 r;
  asm volatile("ld.relaxed.gpu.global.v4.f32 {%0, %1, %2, %3}, [%4];\n" : "=f"(r.x), "=f"(r.y), "=f"(r.z), "=f"(r.w) : "l"(address));
  return r;
}

// Asks for the 32 bytes around `address`, which must exist, to be fetched into L2. Nothing waits for them.
__device__ __forceinline__ void prefetch_l2(const void *address) { asm volatile("prefetch.global.L2 [%0];\n" ::"l"(address)); }

}  // namespace fp::ptx

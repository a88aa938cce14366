// load.cuh: reads with a cache hint. PTX ISA, "Data Movement and Conversion Instructions: ld.global.nc".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// 16 bytes that are read once and that no one writes meanwhile: they don't push others out of L1. `address`: a multiple of 16.
__device__ __forceinline__ uint4 load_once_16(const void *address) {
  uint4 r;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];\n" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(address));
  return r;
}

}  // namespace fp::ptx

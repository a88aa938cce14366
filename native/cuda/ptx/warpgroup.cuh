// warpgroup.cuh: registers of warps and of four neighbouring ones. PTX ISA, "Miscellaneous Instructions: setmaxnreg".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Takes registers from the CTA's pool, waiting until others have given them, so that each thread has kRegisters.
template <int kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}

// Gives registers back to the pool.
template <int kRegisters>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}

// x, which all lanes have alike, in a uniform register: what only depends on such is computed once for the warp.
__device__ __forceinline__ i32 uniform(i32 x) { return __reduce_max_sync(0xffffffffu, x); }

}  // namespace fp::ptx

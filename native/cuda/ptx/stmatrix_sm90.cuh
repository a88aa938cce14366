// stmatrix_sm90.cuh: matrices of a warp to shared memory. PTX ISA, "Warp-level matrix store instruction: stmatrix".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// Four 8 x 8 matrices of 16-bit values: lane i gives the address of row i % 8 of matrix i / 8, and holds of each matrix row i / 4 the
// neighbours 2 (i % 4) and the one after it, as ldmatrix gives them.
__device__ __forceinline__ void stmatrix_x4(u32 address, const u32 (&r)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory");
}

}  // namespace fp::ptx

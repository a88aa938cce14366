// mma_fp8_sm89.cuh: matrix fragments of a warp in FP8. PTX ISA, "Matrix Fragments for mma.m16n8k32". By their bytes the fragments are those of
// mma_sm80.cuh, with two values where one of 16 bits was: so ldmatrix reads them. With g = lane / 4, t = lane % 4:
//   A (16 x 32)  a0 (g, 4t) a1 (g + 8, 4t) a2 (g, 4t + 16) a3 (g + 8, 4t + 16), each with the three at its right
//   B (32 x 8)   b0 (4t, g) b1 (4t + 16, g), each with the three below it
//   C (16 x 8)   as there
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

// c += a . b.
__device__ __forceinline__ void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, E4m3) {
  asm("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace fp::ptx

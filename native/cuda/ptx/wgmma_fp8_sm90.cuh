// wgmma_fp8_sm90.cuh: matrix products of a warpgroup in FP8. PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions: wgmma.mma_async",
// "Register Fragments and Shared Memory Matrix Layouts" of m64nNk32.
//
// D (64 x N, f32) += A (64 x 32) . B (32 x N). D lies as wgmma_sm90.cuh says, A's fragments as mma_fp8_sm89.cuh's. The rows of B in shared memory
// must be n: there is no transposition of bytes. By its bytes, a k32 step is the k16 step of 16-bit types, so descriptors are made alike.
#pragma once
#include "ptx/wgmma_sm90.cuh"

namespace fp::ptx {

#define FP_DEFINE_WGMMA_E4M3(N, NAMES, OUTS, I0, I1, I2, I3, I4, I5)                                                                              \
  template <>                                                                                                                                      \
  struct Wgmma<N, E4m3, 0> {                                                                                                                       \
    static __device__ __forceinline__ void shared(float (&d)[N / 2], MatrixDescriptor a, MatrixDescriptor b, int accumulate) {                     \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" I2 ", 0;\n"                                                                                \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k32.f32.e4m3.e4m3 {" NAMES "}, %" I0 ", %" I1 ", p, 1, 1;\n}\n"                         \
                   : OUTS                                                                                                                          \
                   : "l"(a.bits()), "l"(b.bits()), "r"(accumulate));                                                                               \
    }                                                                                                                                              \
    static __device__ __forceinline__ void registers(float (&d)[N / 2], const u32 (&a)[4], MatrixDescriptor b, int accumulate) {                   \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" I5 ", 0;\n"                                                                                \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k32.f32.e4m3.e4m3 {" NAMES "}, {%" I0 ", %" I1 ", %" I2 ", %" I3 "}, %" I4 ", p, 1, 1;\n}\n" \
                   : OUTS                                                                                                                          \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.bits()), "r"(accumulate));                                                  \
    }                                                                                                                                              \
  };

FP_DEFINE_WGMMA_E4M3(64, FP_NAMES_64, FP_OUTS_64, "32", "33", "34", "35", "36", "37")
FP_DEFINE_WGMMA_E4M3(96, FP_NAMES_96, FP_OUTS_96, "48", "49", "50", "51", "52", "53")
FP_DEFINE_WGMMA_E4M3(128, FP_NAMES_128, FP_OUTS_128, "64", "65", "66", "67", "68", "69")
FP_DEFINE_WGMMA_E4M3(192, FP_NAMES_192, FP_OUTS_192, "96", "97", "98", "99", "100", "101")
FP_DEFINE_WGMMA_E4M3(256, FP_NAMES_256, FP_OUTS_256, "128", "129", "130", "131", "132", "133")

}  // namespace fp::ptx

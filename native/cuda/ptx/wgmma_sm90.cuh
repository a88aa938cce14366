// wgmma_sm90.cuh: matrix products of a warpgroup. PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions: wgmma".
//
// D (64 x N, f32) += A (64 x 16) . B (16 x N). Warp w of the group holds rows 16 w .. 16 w + 15 of D as mma_sm80.cuh's C fragments, side by
// side: with g = lane / 4, t = lane % 4, d[4 j + e] is row g + 8 (e / 2), column 8 j + 2 t + e % 2. A lies in shared memory or, as
// mma_sm80.cuh's A fragment, in registers; B lies in shared memory.
#pragma once
#include "ptx/warpgroup.cuh"

namespace fp::ptx {

// The following products see registers and, after a fence, shared memory as they are now.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
// Closes the group of products issued since the last one.
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }
// Waits until at most kPending groups, the latest ones, are under way.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(kPending) : "memory");
}

// Keeps the compiler from moving uses of d across: products under way write it behind its back.
template <int kCount>
__device__ __forceinline__ void wgmma_pin(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

// Makes everything that leads to the sum x >= 0 come before what follows. ptxas sees no reason not to move arithmetic behind a wait for
// products, where it is no longer hidden by them; across a branch that depends on it, it cannot.
__device__ __forceinline__ void finish_first(float x) {
  if (__any_sync(0xffffffffu, x < 0.f)) asm volatile("nanosleep.u32 20;\n" ::: "memory");
}

// Where an operand lies in shared memory: atoms of eight rows of 128 bytes swizzled by 128 bytes (`wide`), or of 64 swizzled by 64. PTX
// ISA, "Matrix Descriptor Format" and "Strides". `rows_apart`: bytes from eight rows to the next eight. `columns_apart`: if rows are k
// and columns n, bytes from an atom to the one at its right.
struct MatrixDescriptor {
  u32 low;
  u32 high;
  __device__ __forceinline__ u64 bits() const { return static_cast<u64>(high) << 32 | low; }
  // In uniform registers: all lanes have it alike.
  __device__ __forceinline__ MatrixDescriptor uniform() const { return {static_cast<u32>(ptx::uniform(static_cast<i32>(low))), high}; }
  // The operand that begins so many bytes further on.
  __device__ __forceinline__ MatrixDescriptor from(u32 bytes) const { return {low + (bytes >> 4), high}; }
};
__device__ __forceinline__ MatrixDescriptor matrix_descriptor(u32 address, u32 columns_apart, u32 rows_apart, bool wide) {
  // Shared memory ends before the address field's 2^18 bytes do.
  return {address >> 4 | columns_apart >> 4 << 16, rows_apart >> 4 | (wide ? 1u : 2u) << 30};
}

#define FP_D0 "%0, %1, %2, %3, %4, %5, %6, %7"
#define FP_D1 "%8, %9, %10, %11, %12, %13, %14, %15"
#define FP_D2 "%16, %17, %18, %19, %20, %21, %22, %23"
#define FP_D3 "%24, %25, %26, %27, %28, %29, %30, %31"
#define FP_D4 "%32, %33, %34, %35, %36, %37, %38, %39"
#define FP_D5 "%40, %41, %42, %43, %44, %45, %46, %47"
#define FP_D6 "%48, %49, %50, %51, %52, %53, %54, %55"
#define FP_D7 "%56, %57, %58, %59, %60, %61, %62, %63"
#define FP_D8 "%64, %65, %66, %67, %68, %69, %70, %71"
#define FP_D9 "%72, %73, %74, %75, %76, %77, %78, %79"
#define FP_D10 "%80, %81, %82, %83, %84, %85, %86, %87"
#define FP_D11 "%88, %89, %90, %91, %92, %93, %94, %95"
#define FP_D12 "%96, %97, %98, %99, %100, %101, %102, %103"
#define FP_D13 "%104, %105, %106, %107, %108, %109, %110, %111"
#define FP_D14 "%112, %113, %114, %115, %116, %117, %118, %119"
#define FP_D15 "%120, %121, %122, %123, %124, %125, %126, %127"

#define FP_OUT8(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])

// `accumulate` 0: D is overwritten. B's transposition: 0 if its rows are n and its columns k, 1 if rows are k.
template <int kN, typename Dtype, int kTransposeB>
struct Wgmma;

#define FP_DEFINE_WGMMA(N, TYPE, TAG, NAMES, OUTS, I0, I1, I2, I3, I4, I5, I6)                                                                    \
  template <int kTransposeB>                                                                                                           \
  struct Wgmma<N, TAG, kTransposeB> {                                                                                                  \
    static __device__ __forceinline__ void shared(float (&d)[N / 2], MatrixDescriptor a, MatrixDescriptor b, int accumulate) {                                   \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" I2 ", 0;\n"                                                                    \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" NAMES "}, %" I0 ", %" I1 ", p, 1, 1, 0, %" I3 ";\n}\n" \
                   : OUTS                                                                                                              \
                   : "l"(a.bits()), "l"(b.bits()), "r"(accumulate), "n"(kTransposeB));                                                               \
    }                                                                                                                                  \
    static __device__ __forceinline__ void registers(float (&d)[N / 2], const u32 (&a)[4], MatrixDescriptor b, int accumulate) {                    \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" I5 ", 0;\n"                                                                    \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" NAMES "}, {%" I0 ", %" I1 ", %" I2 ", %" I3 "}, %" I4 \
                   ", p, 1, 1, %" I6 ";\n}\n"                                                                                         \
                   : OUTS                                                                                                              \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.bits()), "r"(accumulate), "n"(kTransposeB));                           \
    }                                                                                                                                  \
  };

#define FP_NAMES_48 FP_D0 ", " FP_D1 ", " FP_D2
#define FP_OUTS_48 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16)
FP_DEFINE_WGMMA(48, "bf16", Bf16, FP_NAMES_48, FP_OUTS_48, "24", "25", "26", "27", "28", "29", "30")
FP_DEFINE_WGMMA(48, "f16", F16, FP_NAMES_48, FP_OUTS_48, "24", "25", "26", "27", "28", "29", "30")

#define FP_NAMES_64 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3
#define FP_OUTS_64 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24)
FP_DEFINE_WGMMA(64, "bf16", Bf16, FP_NAMES_64, FP_OUTS_64, "32", "33", "34", "35", "36", "37", "38")
FP_DEFINE_WGMMA(64, "f16", F16, FP_NAMES_64, FP_OUTS_64, "32", "33", "34", "35", "36", "37", "38")

#define FP_NAMES_80 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4
#define FP_OUTS_80 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32)
FP_DEFINE_WGMMA(80, "bf16", Bf16, FP_NAMES_80, FP_OUTS_80, "40", "41", "42", "43", "44", "45", "46")
FP_DEFINE_WGMMA(80, "f16", F16, FP_NAMES_80, FP_OUTS_80, "40", "41", "42", "43", "44", "45", "46")

#define FP_NAMES_96 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5
#define FP_OUTS_96 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40)
FP_DEFINE_WGMMA(96, "bf16", Bf16, FP_NAMES_96, FP_OUTS_96, "48", "49", "50", "51", "52", "53", "54")
FP_DEFINE_WGMMA(96, "f16", F16, FP_NAMES_96, FP_OUTS_96, "48", "49", "50", "51", "52", "53", "54")

#define FP_NAMES_112 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5 ", " FP_D6
#define FP_OUTS_112 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40), FP_OUT8(48)
FP_DEFINE_WGMMA(112, "bf16", Bf16, FP_NAMES_112, FP_OUTS_112, "56", "57", "58", "59", "60", "61", "62")
FP_DEFINE_WGMMA(112, "f16", F16, FP_NAMES_112, FP_OUTS_112, "56", "57", "58", "59", "60", "61", "62")

#define FP_NAMES_128 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5 ", " FP_D6 ", " FP_D7
#define FP_OUTS_128 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40), FP_OUT8(48), FP_OUT8(56)
FP_DEFINE_WGMMA(128, "bf16", Bf16, FP_NAMES_128, FP_OUTS_128, "64", "65", "66", "67", "68", "69", "70")
FP_DEFINE_WGMMA(128, "f16", F16, FP_NAMES_128, FP_OUTS_128, "64", "65", "66", "67", "68", "69", "70")

#define FP_NAMES_160 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5 ", " FP_D6 ", " FP_D7 ", " FP_D8 ", " FP_D9
#define FP_OUTS_160 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40), FP_OUT8(48), FP_OUT8(56), FP_OUT8(64), FP_OUT8(72)
FP_DEFINE_WGMMA(160, "bf16", Bf16, FP_NAMES_160, FP_OUTS_160, "80", "81", "82", "83", "84", "85", "86")
FP_DEFINE_WGMMA(160, "f16", F16, FP_NAMES_160, FP_OUTS_160, "80", "81", "82", "83", "84", "85", "86")

#define FP_NAMES_176 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5 ", " FP_D6 ", " FP_D7 ", " FP_D8 ", " FP_D9 ", " FP_D10
#define FP_OUTS_176 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40), FP_OUT8(48), FP_OUT8(56), FP_OUT8(64), FP_OUT8(72), FP_OUT8(80)
FP_DEFINE_WGMMA(176, "bf16", Bf16, FP_NAMES_176, FP_OUTS_176, "88", "89", "90", "91", "92", "93", "94")
FP_DEFINE_WGMMA(176, "f16", F16, FP_NAMES_176, FP_OUTS_176, "88", "89", "90", "91", "92", "93", "94")

#define FP_NAMES_192 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5 ", " FP_D6 ", " FP_D7 ", " FP_D8 ", " FP_D9 ", " FP_D10 ", " FP_D11
#define FP_OUTS_192 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40), FP_OUT8(48), FP_OUT8(56), FP_OUT8(64), FP_OUT8(72), FP_OUT8(80), FP_OUT8(88)
FP_DEFINE_WGMMA(192, "bf16", Bf16, FP_NAMES_192, FP_OUTS_192, "96", "97", "98", "99", "100", "101", "102")
FP_DEFINE_WGMMA(192, "f16", F16, FP_NAMES_192, FP_OUTS_192, "96", "97", "98", "99", "100", "101", "102")

#define FP_NAMES_256 FP_D0 ", " FP_D1 ", " FP_D2 ", " FP_D3 ", " FP_D4 ", " FP_D5 ", " FP_D6 ", " FP_D7 ", " FP_D8 ", " FP_D9 ", " FP_D10 ", " FP_D11 ", " FP_D12 ", " FP_D13 ", " FP_D14 ", " FP_D15
#define FP_OUTS_256 FP_OUT8(0), FP_OUT8(8), FP_OUT8(16), FP_OUT8(24), FP_OUT8(32), FP_OUT8(40), FP_OUT8(48), FP_OUT8(56), FP_OUT8(64), FP_OUT8(72), FP_OUT8(80), FP_OUT8(88), FP_OUT8(96), FP_OUT8(104), FP_OUT8(112), FP_OUT8(120)
FP_DEFINE_WGMMA(256, "bf16", Bf16, FP_NAMES_256, FP_OUTS_256, "128", "129", "130", "131", "132", "133", "134")
FP_DEFINE_WGMMA(256, "f16", F16, FP_NAMES_256, FP_OUTS_256, "128", "129", "130", "131", "132", "133", "134")

}  // namespace fp::ptx

// kv_fragments.cuh: B fragments of K and V from shared memory, where rows are of 16-bit values like q, or of FP8.
//
// FP8 rows are read as rows of 16-bit units of two elements, which permutes columns (t = lane % 4, of 16 neighbouring columns):
//   K  a lane gets elements 4t .. 4t + 3 of its token where the fragment means 2t, 2t + 1, 2t + 8, 2t + 9. A product over all columns does not mind
//      if q is permuted alike: see query_pair_place().
//   V  transposed, a lane gets two neighbouring columns of two tokens. They make one fragment of the even columns and one of the odd, so of two
//      neighbouring column tiles the first has the even columns of 16, and the second the odd.
#pragma once
#include "parts/shared_tile.cuh"
#include "ptx/fp8.cuh"

namespace fp {

// K, or V, of kColumns columns.
template <int kColumns, bool kFp8>
struct KvRows {
  static constexpr int kUnits = kFp8 ? kColumns / 2 : kColumns;  // of 16 bits
  using Tile = SharedTile<kUnits>;
  using Pointer = FragmentPointer<kUnits>;
  static constexpr int kSteps = kFp8 ? 2 : 1;       // of 16 columns that one load brings
  static constexpr int kLoads = kColumns / 16 / kSteps;
};

// Fragments of 16 tokens (n) and kSteps x 16 columns (k): [step][0, 1] are of the first eight tokens, [2, 3] of the others. `address` is one of
// columns_first.
template <bool kFp8, typename Dtype>
__device__ __forceinline__ void key_fragments(u32 (&f)[kFp8 ? 2 : 1][4], u32 address, bool is_e5m2, Dtype dtype) {
  if constexpr (kFp8) {
    u32 r[4];
    ptx::ldmatrix_x4(r, address);
#pragma unroll
    for (int step = 0; step < 2; ++step) {
#pragma unroll
      for (int tokens = 0; tokens < 2; ++tokens) {
        u32 pairs[2];
        ptx::fp8_to_pairs(pairs, r[2 * tokens + step], is_e5m2, dtype);
        f[step][2 * tokens] = pairs[0];
        f[step][2 * tokens + 1] = pairs[1];
      }
    }
  } else {
    ptx::ldmatrix_x4(f[0], address);
  }
}

// Fragments of 16 tokens (k) and kSteps x 16 columns (n): [step][0, 1] are of the first column tile, [2, 3] of the second. `address` is one of
// rows_first.
template <bool kFp8, typename Dtype>
__device__ __forceinline__ void value_fragments(u32 (&f)[kFp8 ? 2 : 1][4], u32 address, bool is_e5m2, Dtype dtype) {
  if constexpr (kFp8) {
    u32 r[4];
    ptx::ldmatrix_x4_transposed(r, address);
#pragma unroll
    for (int step = 0; step < 2; ++step) {
#pragma unroll
      for (int tokens = 0; tokens < 2; ++tokens) {
        // Even columns of both tokens first, then the odd ones.
        u32 pairs[2];
        ptx::fp8_to_pairs(pairs, __byte_perm(r[2 * step + tokens], 0, 0x3120), is_e5m2, dtype);
        f[step][tokens] = pairs[0];
        f[step][2 + tokens] = pairs[1];
      }
    }
  } else {
    ptx::ldmatrix_x4_transposed(f[0], address);
  }
}

// Where in a row of q in shared memory pair `pair` (of two columns) lies, counted in pairs.
template <bool kFp8>
__device__ __forceinline__ constexpr u32 query_pair_place(u32 pair) {
  return kFp8 ? (pair & ~7u) | (pair & 1) << 2 | (pair >> 1 & 3) : pair;
}

}  // namespace fp

// transpose_values_sm90.cuh: V of a KV tile, rows of tokens in FP8, becomes rows of columns: in FP8 wgmma multiplies by nothing else.
//
// ldmatrix moves pairs of bytes. Transposed, it gives a lane (g = lane / 4, t = lane % 4) of eight tokens' rows the columns 2 g and 2 g + 1 of
// tokens 2 t and 2 t + 1; with those of the next eight, two byte permutations make a word of column 2 g and one of column 2 g + 1, each of
// the tokens 2 t, 2 t + 1, 2 t + 8, 2 t + 9. stmatrix puts such words of four lanes side by side. So
//   - of 16 tokens, the row has 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15: the order in which a lane has its weights (prefill_weights_sm90.cuh);
//   - of 16 columns, the even ones come first, then the odd ones: the order of store_row's kSplit. Rows that are stored together are then
//     neighbours, without which the banks of shared memory would collide.
// 32 tokens x 16 columns are one ldmatrix, four permutations, one stmatrix.
#pragma once
#include "parts/swizzled_tile.cuh"
#include "ptx/mma_sm80.cuh"
#include "ptx/stmatrix_sm90.cuh"

namespace fp {

// Bytes of a row as the 16-bit columns that SwizzledTile counts.
template <int kTokens, int kDim>
struct TransposedValues {
  using Rows = SwizzledTile<kTokens, kDim / 2>;
  using Tile = SwizzledTile<kDim, kTokens / 2>;
  static constexpr int kBlocks = kTokens / 32;  // of tokens
  static constexpr int kChunks = kDim / 16;     // of columns
  static_assert(kTokens % 32 == 0 && kChunks % 4 == 0);

  // By a warp: chunks [first_chunk, first_chunk + kNumChunks) of the columns, of all tokens, kStep of them at a time. Addresses of shared memory.
  template <int kNumChunks, int kStep>
  static __device__ __forceinline__ void transpose(u32 rows, u32 tile, u32 first_chunk, u32 lane) {
    static_assert(kNumChunks % kStep == 0);
#pragma unroll 1
    for (u32 block = 0; block < kBlocks; ++block) {
#pragma unroll 1
      for (u32 chunk = first_chunk; chunk < first_chunk + kNumChunks; chunk += kStep) {
        u32 r[kStep][4];
#pragma unroll
        for (u32 i = 0; i < kStep; ++i) ptx::ldmatrix_x4_transposed(r[i], rows + Rows::offset(block * 32 + lane, chunk + i));
#pragma unroll
        for (u32 i = 0; i < kStep; ++i) {
          const u32 words[4] = {__byte_perm(r[i][0], r[i][1], 0x6420), __byte_perm(r[i][0], r[i][1], 0x7531), __byte_perm(r[i][2], r[i][3], 0x6420),
                                __byte_perm(r[i][2], r[i][3], 0x7531)};
          ptx::stmatrix_x4(tile + Tile::offset((chunk + i) * 16 + lane % 16, block * 2 + lane / 16), words);
        }
      }
    }
  }
};

}  // namespace fp

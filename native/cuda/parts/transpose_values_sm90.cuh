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

  // By a warp: chunks [first_chunk, first_chunk + kNumChunks) of the columns, of all tokens, kStep of them at a time. Addresses of shared memory;
  // first_chunk is a multiple of kNumChunks. Address arithmetic is one instruction for each ldmatrix: chunks are bits that the swizzle adds to
  // a lane's address by xor, and so are the blocks' chunks of its target, once a block.
  template <int kNumChunks, int kStep>
  static __device__ __forceinline__ void transpose(u32 rows, u32 tile, u32 first_chunk, u32 lane) {
    static_assert(kNumChunks % kStep == 0 && (kNumChunks % Rows::kBlockChunks == 0 || Rows::kBlockChunks % kNumChunks == 0) && Tile::kBlockChunks % 2 == 0);
    // Lane i gives ldmatrix the address of token i of the block, and stmatrix that of column i % 16 of the chunk, in its left or right half.
    u32 source = rows + Rows::offset(lane, first_chunk);
    const u32 target = tile + Tile::offset(first_chunk * 16 + lane % 16, lane / 16);
#pragma unroll 1
    for (u32 block = 0; block < kBlocks; ++block) {
      const u32 of_block = (target ^ block * 2 % Tile::kBlockChunks << 4) + block * 2 / Tile::kBlockChunks * Tile::kBlockBytes;
#pragma unroll
      for (u32 first = 0; first < kNumChunks; first += kStep) {
        u32 r[kStep][4];
#pragma unroll
        for (u32 i = 0; i < kStep; ++i) {
          const u32 chunk = first + i;
          ptx::ldmatrix_x4_transposed(r[i], (source ^ chunk % Rows::kBlockChunks << 4) + chunk / Rows::kBlockChunks * Rows::kBlockBytes);
        }
#pragma unroll
        for (u32 i = 0; i < kStep; ++i) {
          const u32 words[4] = {__byte_perm(r[i][0], r[i][1], 0x6420), __byte_perm(r[i][0], r[i][1], 0x7531), __byte_perm(r[i][2], r[i][3], 0x6420),
                                __byte_perm(r[i][2], r[i][3], 0x7531)};
          ptx::stmatrix_x4(of_block + (first + i) * 2 * Tile::kGroupBytes, words);
        }
      }
      source += 4 * Rows::kGroupBytes;
    }
  }
};

}  // namespace fp

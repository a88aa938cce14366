// swizzled_tile.cuh: how rows lie in shared memory for wgmma and the copy engine. Groups of eight rows, one after another; in a group, blocks
// of columns (64, or 32 where the width is no multiple of 64), one after another; in a block, eight rows of 128 (64) bytes whose
// 16-byte chunks are swizzled. So a box of any number of whole groups is one run of bytes, which one copy can fill.
#pragma once
#include "ptx/wgmma_sm90.cuh"

namespace fp {

template <int kTileRows, int kDim>
struct SwizzledTile {
  static constexpr bool kWide = kDim % 64 == 0;
  static constexpr int kBlockColumns = kWide ? 64 : 32;
  static constexpr int kBlocks = kDim / kBlockColumns;
  static constexpr int kRowBytes = kBlockColumns * 2;
  static constexpr u32 kBlockBytes = 8 * kRowBytes;
  static constexpr u32 kGroupBytes = kBlocks * kBlockBytes;
  static constexpr int kBytes = kTileRows * kDim * 2;
  static constexpr int kChunks = kDim / 8;  // of a row
  static constexpr int kBlockChunks = kBlockColumns / 8;
  static_assert(kTileRows % 8 == 0 && kDim % 32 == 0);

  __device__ static __forceinline__ u32 swizzle(u32 row) { return kWide ? row & 7 : row >> 1 & 3; }
  __device__ static __forceinline__ u32 offset(u32 row, u32 chunk) {
    return row / 8 * kGroupBytes + chunk / kBlockChunks * kBlockBytes + row % 8 * kRowBytes + ((chunk % kBlockChunks ^ swizzle(row)) << 4);
  }

  // The tile as an operand whose rows are m or n and whose columns are k, from row group `address` on; and how many bytes k16 step i lies in it.
  __device__ static __forceinline__ ptx::MatrixDescriptor k_major(u32 address) { return ptx::matrix_descriptor(address, 0, kGroupBytes, kWide); }
  static constexpr u32 k_major_step(int step) { return step / (kBlockColumns / 16) * kBlockBytes + step % (kBlockColumns / 16) * 32; }
  // The tile as an operand whose rows are k and whose columns are n.
  __device__ static __forceinline__ ptx::MatrixDescriptor n_major(u32 address) { return ptx::matrix_descriptor(address, kBlockBytes, kGroupBytes, kWide); }
  static constexpr u32 n_major_step(int step) { return step * 2 * kGroupBytes; }
};

}  // namespace fp

// swizzled_fragments.cuh: fragments for mma.sync from rows that lie as the copy engine writes them (parts/swizzled_tile.cuh).
#pragma once
#include "parts/swizzled_tile.cuh"

namespace fp {

// Where a lane points ldmatrix.x4 at the 16 rows x 16 columns (a step) of a tile of 16 rows. The same as FragmentPointer of parts/shared_tile.cuh, where
// the order of matrices is told.
template <int kColumns>
class SwizzledFragmentPointer {
  using Tile = SwizzledTile<16, kColumns>;
  static constexpr int kStepsOfBlock = Tile::kBlockColumns / 16;

 public:
  static __device__ __forceinline__ SwizzledFragmentPointer rows_first(u32 lane) { return SwizzledFragmentPointer(lane & 15, lane >> 4); }
  static __device__ __forceinline__ SwizzledFragmentPointer columns_first(u32 lane) {
    return SwizzledFragmentPointer((lane & 7) | ((lane >> 4) << 3), (lane >> 3) & 1);
  }

  // base: the tile's address, a multiple of 128. After this, at() takes the result.
  __device__ __forceinline__ u32 on(u32 base) const { return base + first_; }
  // Steps to the right in a block differ in address bits that the swizzle leaves to them.
  __device__ __forceinline__ u32 at(u32 based, int step, int) const { return (based ^ step % kStepsOfBlock << 5) + step / kStepsOfBlock * Tile::kBlockBytes; }

 private:
  __device__ __forceinline__ SwizzledFragmentPointer(u32 row, u32 half) : first_(Tile::offset(row, half)) {}
  u32 first_;
};

}  // namespace fp

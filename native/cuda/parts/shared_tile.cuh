// shared_tile.cuh: how rows of 16-bit values lie in shared memory, so that neither writing rows in 16-byte chunks nor reading 8 x 8
// matrices with ldmatrix meets a bank twice.
#pragma once
#include "ptx/mma_sm80.cuh"

namespace fp {

// Rows of kColumns values, one after another. Chunk c (8 values) of row r lies at chunk c ^ swizzle(r) of its row.
//   Rows of whole 128 bytes: eight rows at one c share a bank group unless the low 3 bits of c differ: swizzle r & 7.
//   Rows of an odd number of 64 bytes (96 columns): neighbouring rows are already half a line apart: swizzle (r / 2) & 3.
template <int kColumns>
struct SharedTile {
  static constexpr int kPitch = kColumns * 2;
  static constexpr int kChunks = kColumns / 8;
  static constexpr bool kWide = kChunks % 8 == 0;
  static_assert(kChunks % 4 == 0);
  // Neighbouring lanes that copy one row: a whole line, or half.
  static constexpr int kLanesPerRow = kWide ? 8 : 4;
  static constexpr int kColumnSteps = kChunks / kLanesPerRow;

  __device__ static __forceinline__ u32 swizzle(u32 row) { return kWide ? row & 7 : (row >> 1) & 3; }
  __device__ static __forceinline__ u32 offset(u32 row, u32 chunk) { return row * kPitch + ((chunk ^ swizzle(row)) << 4); }
};

// Where a lane points ldmatrix.x4 at the 16 rows x 16 columns (a step) of a tile. Steps to the right differ in a few address bits or
// by a constant, rows 16 further down by 16 pitches.
template <int kColumns>
class FragmentPointer {
  using Tile = SharedTile<kColumns>;
  static constexpr int kVariants = Tile::kWide ? 4 : 2;

 public:
  // Matrices in the order (rows 0-7, left) (rows 8-15, left) (rows 0-7, right) (rows 8-15, right): an A fragment; transposed, the B
  // fragments of 16 rows (k) x two times 8 columns (n).
  static __device__ __forceinline__ FragmentPointer rows_first(u32 lane) { return FragmentPointer(lane & 15, lane >> 4); }
  // (rows 0-7, left) (rows 0-7, right) (rows 8-15, left) (rows 8-15, right): the B fragments of two times 8 rows (n) x 16 columns (k).
  static __device__ __forceinline__ FragmentPointer columns_first(u32 lane) {
    return FragmentPointer((lane & 7) | ((lane >> 4) << 3), (lane >> 3) & 1);
  }

  // base: the tile's address, a multiple of 128. After this, at() takes the result.
  __device__ __forceinline__ u32 on(u32 base) const { return base + first_; }
  __device__ __forceinline__ u32 at(u32 based, int step, int row_block) const {
    const int variant = step % kVariants;
    const u32 moved = Tile::kWide ? based ^ (variant << 5) : variant == 0 ? based : based + delta_;
    return moved + step / kVariants * kVariants * 32 + row_block * 16 * Tile::kPitch;
  }

 private:
  __device__ __forceinline__ FragmentPointer(u32 row, u32 half) : first_(Tile::offset(row, half)), delta_(Tile::swizzle(row) & 2 ? -32 : 32) {}
  u32 first_;
  i32 delta_;  // narrow rows: step 1 flips bit 1 of the chunk
};

}  // namespace fp

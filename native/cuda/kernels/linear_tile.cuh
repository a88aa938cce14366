// linear_tile.cuh: x . weight^T in tiles with mma.sync, for f16 and bf16 where rows begin at multiples of 16 bytes. Steps of in_dim come
// by cp.async, some ahead. If there are too few tiles for the GPU, CTAs share a tile's in_dim and linear_reduce adds their partials.
#pragma once
#include "parts/linear_store.cuh"
#include "parts/shared_tile.cuh"
#include "ptx/cp_async.cuh"

namespace fp {

// Copies steps of kRows rows of x or of the weight. Rows past the last and elements past in_dim become zeros.
template <int kRows>
class LinearSource {
  using Tile = SharedTile<linear_depth>;
  static constexpr int kRowStep = linear_tile_threads / Tile::kChunks;
  static constexpr int kCopies = kRows / kRowStep;  // of a thread

 public:
  __device__ __forceinline__ LinearSource(const char *base, i64 row_bytes, i64 first_row, i64 num_rows, i32 first_element)
      : row_step_bytes_(row_bytes * kRowStep), valid_(0) {
    const u32 row = threadIdx.x / Tile::kChunks;
    column_ = first_element + static_cast<i32>(threadIdx.x % Tile::kChunks) * 8;
    from_ = base + (first_row + row) * row_bytes + static_cast<i64>(column_) * 2;
    fallback_ = base;
    to_ = Tile::offset(row, threadIdx.x % Tile::kChunks);
#pragma unroll
    for (int i = 0; i < kCopies; ++i) valid_ |= static_cast<u32>(first_row + row + i * kRowStep < num_rows) << i;
  }

  // The next step, to `target`; elements from in_dim on are zeros.
  __device__ __forceinline__ void copy(u32 target, i32 in_dim) {
    const u32 valid = column_ < in_dim ? valid_ : 0;
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      // Rows kRowStep apart have the same swizzle.
      const bool exists = (valid >> i) & 1;
      ptx::cp_async_16_or_zero(target + to_ + i * kRowStep * Tile::kPitch, exists ? from_ + i * row_step_bytes_ : fallback_, exists);
    }
    column_ += linear_depth;
    from_ += linear_depth * 2;
  }

 private:
  static_assert(kRowStep % 8 == 0 && kCopies <= 32);
  const char *from_;
  const char *fallback_;  // an address that exists
  i64 row_step_bytes_;
  i32 column_;
  u32 to_;
  u32 valid_;
};

template <int kStages>
__device__ __forceinline__ u32 next_stage_of(u32 stage) {
  return stage + 1 == kStages ? 0 : stage + 1;
}

struct TilePlace {
  i32 row;  // of tiles
  i32 column;
  i32 split;
};

// Tiles that run at the same time share rows of x and of the weight in L2: eight rows of tiles go side by side.
__device__ __forceinline__ TilePlace place_of_tile(const LinearParams &p) {
  constexpr i32 kBand = 8;
  const i32 num_tiles = p.row_tiles * p.column_tiles;
  const i32 split = static_cast<i32>(blockIdx.x) / num_tiles;
  const i32 tile = static_cast<i32>(blockIdx.x) - split * num_tiles;
  const i32 band = tile / (kBand * p.column_tiles);
  const i32 in_band = tile - band * kBand * p.column_tiles;
  const i32 band_rows = min(kBand, p.row_tiles - band * kBand);
  return {band * kBand + in_band % band_rows, in_band / band_rows, split};
}

// A partial's columns past out_dim, up to its pitch, are the zeros that came of missing rows of the weight.
__device__ __forceinline__ LinearTarget target_of(const LinearParams &p, i32 split) {
  if (p.num_splits == 1) {
    return {p.out, p.out_row_stride, p.out_dim, p.out_is_f32 != 0, p.wide_stores != 0, reinterpret_cast<const u16 *>(p.bias)};
  }
  float *partial = p.partials + split * static_cast<i64>(p.num_rows) * p.partial_pitch;
  return {reinterpret_cast<char *>(partial), p.partial_pitch, p.partial_pitch, true, true, nullptr};
}

template <typename Dtype, LinearTile kTile>
__device__ __forceinline__ void linear_tile(const LinearParams &p) {
  using Tile = SharedTile<linear_depth>;
  constexpr int kRows = kTile.rows, kColumns = kTile.columns, kStages = kTile.stages;
  constexpr int kRowBlocks = kRows / 2 / 16;     // m16 tiles of a warp
  constexpr int kColumnPairs = kColumns / 2 / 16;  // pairs of n8 tiles of a warp
  constexpr u32 kXBytes = kRows * Tile::kPitch;
  constexpr u32 kStageBytes = kXBytes + kColumns * Tile::kPitch;
  extern __shared__ __align__(1024) u8 shared_memory[];
  const u32 shared = ptx::shared_address(shared_memory);
  const TilePlace place = place_of_tile(p);
  const i32 first_step = place.split * p.steps_per_split;
  const i32 num_steps = min(p.steps_per_split, (p.in_dim + linear_depth - 1) / linear_depth - first_step);
  const i64 first_row = static_cast<i64>(place.row) * kRows;
  const i32 first_column = place.column * kColumns;
  LinearSource<kRows> x(p.x, p.x_row_stride * 2, first_row, p.num_rows, first_step * linear_depth);
  LinearSource<kColumns> weight(p.weight, static_cast<i64>(p.in_dim) * 2, first_column, p.out_dim, first_step * linear_depth);

  const u32 lane = threadIdx.x % 32;
  const u32 warp_row = (threadIdx.x / 64) * (kRows / 2);
  const u32 warp_column = (threadIdx.x / 32 % 2) * (kColumns / 2);
  const FragmentPointer<linear_depth> x_pointer = FragmentPointer<linear_depth>::rows_first(lane);
  const FragmentPointer<linear_depth> weight_pointer = FragmentPointer<linear_depth>::columns_first(lane);

  float sums[kRowBlocks][kColumnPairs * 2][4];
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i) {
#pragma unroll
    for (int j = 0; j < kColumnPairs * 2; ++j) {
#pragma unroll
      for (int c = 0; c < 4; ++c) sums[i][j][c] = 0.f;
    }
  }

#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) {
    if (stage < num_steps) {
      x.copy(shared + stage * kStageBytes, p.in_dim);
      weight.copy(shared + stage * kStageBytes + kXBytes, p.in_dim);
    }
    ptx::cp_async_commit();
  }
  u32 stage = 0, next_stage = kStages - 1;
#pragma unroll 1
  for (i32 step = 0; step < num_steps; ++step) {
    ptx::cp_async_wait<kStages - 2>();
    // All threads' copies of this step are there, and all are done with the step whose place the next copy takes.
    __syncthreads();
    if (step + kStages - 1 < num_steps) {
      x.copy(shared + next_stage * kStageBytes, p.in_dim);
      weight.copy(shared + next_stage * kStageBytes + kXBytes, p.in_dim);
    }
    ptx::cp_async_commit();
    const u32 x_base = x_pointer.on(shared + stage * kStageBytes + warp_row * Tile::kPitch);
    const u32 weight_base = weight_pointer.on(shared + stage * kStageBytes + kXBytes + warp_column * Tile::kPitch);
#pragma unroll
    for (int k = 0; k < linear_depth / 16; ++k) {
      u32 a[kRowBlocks][4];
#pragma unroll
      for (int i = 0; i < kRowBlocks; ++i) ptx::ldmatrix_x4(a[i], x_pointer.at(x_base, k, i));
#pragma unroll
      for (int j = 0; j < kColumnPairs; ++j) {
        u32 b[4];
        ptx::ldmatrix_x4(b, weight_pointer.at(weight_base, k, j));
#pragma unroll
        for (int i = 0; i < kRowBlocks; ++i) {
          ptx::mma(sums[i][2 * j], a[i], b[0], b[1], Dtype{});
          ptx::mma(sums[i][2 * j + 1], a[i], b[2], b[3], Dtype{});
        }
      }
    }
    stage = next_stage_of<kStages>(stage);
    next_stage = next_stage_of<kStages>(next_stage);
  }

  // The sums go through shared memory, each warp's through a part of its own, so that rows are stored in 16-byte pieces.
  constexpr int kWarpRows = kRows / 2, kWarpColumns = kColumns / 2;
  constexpr int kPitch = kWarpColumns + 8;  // 8 mod 32: the float2 of half a warp fall into distinct banks
  static_assert(4 * kWarpRows * kPitch * 4 <= kStages * kStageBytes);
  __syncthreads();
  float *staged = reinterpret_cast<float *>(shared_memory) + threadIdx.x / 32 * (kWarpRows * kPitch);
#pragma unroll
  for (int i = 0; i < kRowBlocks; ++i) {
#pragma unroll
    for (int j = 0; j < kColumnPairs * 2; ++j) {
      float2 *to = reinterpret_cast<float2 *>(staged + (i * 16 + lane / 4) * kPitch + j * 8 + lane % 4 * 2);
      to[0] = make_float2(sums[i][j][0], sums[i][j][1]);
      to[8 * kPitch / 2] = make_float2(sums[i][j][2], sums[i][j][3]);
    }
  }
  __syncwarp();
  const LinearTarget target = target_of(p, place.split);
  constexpr int kEights = kWarpColumns / 8;
#pragma unroll 1
  for (int i = lane; i < kWarpRows * kEights; i += 32) {
    const i64 row = first_row + warp_row + i / kEights;
    const i32 column = first_column + static_cast<i32>(warp_column) + i % kEights * 8;
    if (row >= p.num_rows || column >= target.num_columns) continue;
    const float4 *from = reinterpret_cast<const float4 *>(staged + i / kEights * kPitch + i % kEights * 8);
    const float4 left = from[0], right = from[1];
    float values[8] = {left.x, left.y, left.z, left.w, right.x, right.y, right.z, right.w};
    linear_store_eight<Dtype>(target, row, column, values);
  }
}

// Adds the partials in the splits' order.
template <typename Dtype>
__device__ __forceinline__ void linear_reduce(const LinearParams &p) {
  const i64 total = static_cast<i64>(p.num_rows) * p.partial_pitch;
  const i64 at = (static_cast<i64>(blockIdx.x) * linear_reduce_threads + threadIdx.x) * 4;
  if (at >= total) return;
  const i64 row = at / p.partial_pitch;
  const i32 column = static_cast<i32>(at - row * p.partial_pitch);
  float4 sum = *reinterpret_cast<const float4 *>(p.partials + at);
#pragma unroll 4
  for (i32 split = 1; split < p.num_splits; ++split) {
    const float4 part = *reinterpret_cast<const float4 *>(p.partials + split * total + at);
    sum.x += part.x;
    sum.y += part.y;
    sum.z += part.z;
    sum.w += part.w;
  }
  const float sums[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < p.out_dim) linear_store<HalfElement<Dtype>>(p, row, column + i, sums[i] + linear_bias<HalfElement<Dtype>>(p, column + i));
  }
}

}  // namespace fp

// linear_any.cuh: x . weight^T without conditions on dtype, strides or alignment, in f32 arithmetic.
#pragma once
#include "parts/linear_store.cuh"

namespace fp {

// Tiles of 64 x 64; a thread has 4 x 4 outputs, 16 apart.
template <typename Element>
__device__ __forceinline__ void linear_any_tile_of(const LinearParams &p) {
  using Storage = typename Element::Storage;
  constexpr int kTile = linear_any_tile, kDepth = linear_any_depth;
  __shared__ float x_tile[kDepth][kTile + 1];
  __shared__ float weight_tile[kDepth][kTile + 1];
  const i32 tile_row = static_cast<i32>(blockIdx.x) / p.column_tiles;
  const i64 first_row = static_cast<i64>(tile_row) * kTile;
  const i32 first_column = (static_cast<i32>(blockIdx.x) - tile_row * p.column_tiles) * kTile;
  const Storage *x = reinterpret_cast<const Storage *>(p.x);
  const Storage *weight = reinterpret_cast<const Storage *>(p.weight);
  const i32 thread_row = threadIdx.x / 16, thread_column = threadIdx.x % 16;
  float sums[4][4] = {};
  for (i32 begin = 0; begin < p.in_dim; begin += kDepth) {
    const i32 k = begin + thread_column;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const i32 r = thread_row + i * 16;
      const i64 row = first_row + r;
      const i32 column = first_column + r;
      x_tile[thread_column][r] = row < p.num_rows && k < p.in_dim ? Element::load(x[row * p.x_row_stride + k]) : 0.f;
      weight_tile[thread_column][r] = column < p.out_dim && k < p.in_dim ? Element::load(weight[static_cast<i64>(column) * p.in_dim + k]) : 0.f;
    }
    __syncthreads();
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      float a[4], b[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) a[i] = x_tile[d][thread_row + i * 16];
#pragma unroll
      for (int j = 0; j < 4; ++j) b[j] = weight_tile[d][thread_column + j * 16];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const i64 row = first_row + thread_row + i * 16;
    if (row >= p.num_rows) continue;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const i32 column = first_column + thread_column + j * 16;
      if (column < p.out_dim) linear_store<Element>(p, row, column, sums[i][j] + linear_bias<Element>(p, column));
    }
  }
}

// Few rows: a warp has one output of all of them.
template <typename Element>
__device__ __forceinline__ void linear_any_rows(const LinearParams &p) {
  using Storage = typename Element::Storage;
  constexpr int kRows = linear_any_rows_max;
  const i32 lane = threadIdx.x % 32;
  const i64 column = static_cast<i64>(blockIdx.x) * (linear_any_threads / 32) + threadIdx.x / 32;
  if (column >= p.out_dim) return;
  const Storage *x = reinterpret_cast<const Storage *>(p.x);
  const Storage *weight = reinterpret_cast<const Storage *>(p.weight) + column * p.in_dim;
  float sums[kRows] = {};
#pragma unroll 2
  for (i32 k = lane; k < p.in_dim; k += 32) {
    const float w = Element::load(weight[k]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (r < p.num_rows) sums[r] = fmaf(w, Element::load(x[r * p.x_row_stride + k]), sums[r]);
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sums[r] += __shfl_xor_sync(0xffffffffu, sums[r], step);
    if (lane == r && r < p.num_rows) linear_store<Element>(p, r, static_cast<i32>(column), sums[r] + linear_bias<Element>(p, static_cast<i32>(column)));
  }
}

}  // namespace fp

// linear_params.h: what the kernels of linear_fallback.cc are given, and their tile shapes. Plain C++: the launcher includes it too.
#pragma once

namespace fp {

struct LinearParams {
  const char *x;       // [num_rows, in_dim]
  const char *weight;  // [out_dim, in_dim], contiguous
  const char *bias;    // [out_dim], or null
  char *out;           // [num_rows, out_dim]
  float *partials;     // [num_splits, num_rows, partial_pitch]; with splits
  long long x_row_stride;  // elements
  long long out_row_stride;
  int num_rows;
  int in_dim;
  int out_dim;
  int out_is_f32;
  int wide_stores;  // out's rows begin at multiples of 16 bytes
  // Of linear_tile:
  int row_tiles;
  int column_tiles;
  int num_splits;       // CTAs that share a tile's in_dim; above 1 they write partials
  int steps_per_split;  // of linear_depth
  int partial_pitch;    // floats; a multiple of 4
};

constexpr int linear_depth = 64;  // elements of in_dim that a tile takes in at a time

// Both tiles have 4 warps, two by two.
//   large  128 x 128, 64 x 64 a warp: 128 f32 sums a thread; 32 KB a step, three steps: 96 KB, two CTAs an SM of Hopper
//   small   64 x 64, 32 x 32 a warp: for products with too few large tiles; 16 KB a step, four steps: 64 KB, three CTAs an SM
struct LinearTile {
  int rows;
  int columns;
  int stages;
};
constexpr LinearTile linear_large = {128, 128, 3};
constexpr LinearTile linear_small = {64, 64, 4};
constexpr int linear_tile_threads = 128;

constexpr int linear_tile_shared_bytes(const LinearTile &tile) { return (tile.rows + tile.columns) * linear_depth * 2 * tile.stages; }

// Few rows of x: a CTA has 16 outputs of all rows, its warps share in_dim.
constexpr int linear_rows_outputs = 16;
constexpr int linear_rows_warps = 8;
constexpr int linear_rows_max = 32;

// Any dtype, stride and alignment.
constexpr int linear_any_tile = 64;   // rows and columns
constexpr int linear_any_depth = 16;
constexpr int linear_any_threads = 256;
constexpr int linear_any_rows_max = 8;  // below, a warp has an output of all rows

constexpr int linear_reduce_threads = 256;

}  // namespace fp

// linear_fallback.cc: matrix products without a library. See kernels/linear_tile.cuh, linear_rows.cuh and linear_any.cuh.
#include <algorithm>
#include <cstdio>

#include "../parts/linear_params.h"
#include "access.h"
#include "cuda.h"

namespace fp::cuda {
namespace {

Kernel &find_linear(const Launch &launch, const char *kind, int dtype, int shared_bytes = 0) {
  char name[48];
  snprintf(name, sizeof name, "linear_%s_%s", kind, dtype_suffix(dtype));
  return find_kernel(launch.device, "linear", name, shared_bytes);
}

void launch_tiles(const Launch &launch, LinearParams &p, int dtype) {
  const int sms = num_sms(launch.device);
  const auto tiles_of = [&](const LinearTile &tile) { return divide_up(p.num_rows, tile.rows) * divide_up(p.out_dim, tile.columns); };
  const int num_steps = static_cast<int>(divide_up(p.in_dim, linear_depth));
  // A large tile does the most work per byte of shared memory, so it is taken when it leaves at most a quarter of the SMs idle. Example,
  // 64 x 4096 x 4096 on 132 SMs: 32 large tiles would; so 64 small ones, each shared by 6 CTAs of 11 steps: 384 CTAs, three an SM.
  const bool large = tiles_of(linear_large) * 4 >= int64_t{sms} * 3;
  const LinearTile tile = large ? linear_large : linear_small;
  const int64_t num_tiles = tiles_of(tile);
  int64_t splits = 1;
  if (!large) {
    constexpr int min_steps = 8, max_splits = 16, ctas_an_sm = 3;
    splits = std::clamp<int64_t>(sms * ctas_an_sm / num_tiles, 1, std::clamp(num_steps / min_steps, 1, max_splits));
  }
  p.row_tiles = static_cast<int>(divide_up(p.num_rows, tile.rows));
  p.column_tiles = static_cast<int>(divide_up(p.out_dim, tile.columns));
  p.steps_per_split = static_cast<int>(divide_up(num_steps, splits));
  p.num_splits = static_cast<int>(divide_up(num_steps, p.steps_per_split));
  if (p.num_splits > 1) {
    p.partial_pitch = static_cast<int>(divide_up(p.out_dim, 4) * 4);
    p.partials = static_cast<float *>(scratch_memory(launch, sizeof(float) * p.num_splits * p.num_rows * static_cast<size_t>(p.partial_pitch)));
  }
  const int shared_bytes = linear_tile_shared_bytes(tile);
  launch_kernel(launch, find_linear(launch, large ? "large" : "small", dtype, shared_bytes), {static_cast<unsigned>(num_tiles * p.num_splits)},
                linear_tile_threads, static_cast<unsigned>(shared_bytes), &p);
  if (p.num_splits == 1) return;
  const int64_t fours = int64_t{p.num_rows} * p.partial_pitch / 4;
  launch_kernel(launch, find_linear(launch, "reduce", dtype), {static_cast<unsigned>(divide_up(fours, linear_reduce_threads))}, linear_reduce_threads, 0, &p);
}

void launch_any(const Launch &launch, LinearParams &p, int dtype) {
  if (p.num_rows <= linear_any_rows_max) {
    const Grid grid{static_cast<unsigned>(divide_up(p.out_dim, linear_any_threads / 32))};
    launch_kernel(launch, find_linear(launch, "any_rows", dtype), grid, linear_any_threads, 0, &p);
    return;
  }
  p.column_tiles = static_cast<int>(divide_up(p.out_dim, linear_any_tile));
  const Grid grid{static_cast<unsigned>(divide_up(p.num_rows, linear_any_tile) * p.column_tiles)};
  launch_kernel(launch, find_linear(launch, "any_tile", dtype), grid, linear_any_threads, 0, &p);
}

}  // namespace

void launch_linear_own(const Launch &launch, const fp_linear_args &args) {
  LinearParams p{};
  p.x = at<const char>(args.x);
  p.weight = at<const char>(args.weight);
  p.bias = at<const char>(args.bias);
  p.out = at<char>(args.out);
  p.x_row_stride = static_cast<int64_t>(args.x_row_stride);
  p.out_row_stride = static_cast<int64_t>(args.out_row_stride);
  p.num_rows = args.num_rows;
  p.in_dim = args.in_dim;
  p.out_dim = args.out_dim;
  p.out_is_f32 = args.out_dtype == FP_F32;
  p.wide_stores = has_wide_rows(args.out, args.num_rows, stride_bytes(args.out_row_stride, args.out_dtype));
  const bool wide = args.dtype != FP_F32 && args.in_dim % 8 == 0 && has_wide_rows(args.x, args.num_rows, p.x_row_stride * 2) &&
                    has_wide_rows(args.weight, 1, 0);
  if (!wide) return launch_any(launch, p, args.dtype);
  if (args.num_rows > linear_rows_max) return launch_tiles(launch, p, args.dtype);
  const char *kind = args.num_rows <= 8 ? "rows8" : args.num_rows <= 16 ? "rows16" : "rows32";
  const Grid grid{static_cast<unsigned>(divide_up(args.out_dim, linear_rows_outputs))};
  launch_kernel(launch, find_linear(launch, kind, args.dtype), grid, linear_rows_warps * 32, 0, &p);
}

}  // namespace fp::cuda

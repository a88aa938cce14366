// Matrix products without a library: by tiles, for few rows, and for anything.
#include "kernels/linear_any.cuh"
#include "kernels/linear_rows.cuh"
#include "kernels/linear_tile.cuh"

#define FP_LINEAR_KERNEL(name, kThreads, kCtas) \
  extern "C" __global__ void __launch_bounds__(kThreads, kCtas) name(const __grid_constant__ fp::LinearParams params)

#define FP_INSTANTIATE_LINEAR(dtype, Dtype)                                                                                            \
  FP_LINEAR_KERNEL(linear_large_##dtype, fp::linear_tile_threads, 2) { fp::linear_tile<Dtype, fp::linear_large>(params); }             \
  FP_LINEAR_KERNEL(linear_small_##dtype, fp::linear_tile_threads, 3) { fp::linear_tile<Dtype, fp::linear_small>(params); }             \
  FP_LINEAR_KERNEL(linear_reduce_##dtype, fp::linear_reduce_threads, 1) { fp::linear_reduce<Dtype>(params); }                          \
  FP_LINEAR_KERNEL(linear_rows8_##dtype, fp::linear_rows_warps * 32, 2) { fp::linear_rows<Dtype, 1, 4>(params); }                      \
  FP_LINEAR_KERNEL(linear_rows16_##dtype, fp::linear_rows_warps * 32, 2) { fp::linear_rows<Dtype, 2, 4>(params); }                     \
  FP_LINEAR_KERNEL(linear_rows32_##dtype, fp::linear_rows_warps * 32, 2) { fp::linear_rows<Dtype, 4, 2>(params); }

#define FP_INSTANTIATE_LINEAR_ANY(dtype, Element)                                                                                      \
  FP_LINEAR_KERNEL(linear_any_tile_##dtype, fp::linear_any_threads, 2) { fp::linear_any_tile_of<Element>(params); }                    \
  FP_LINEAR_KERNEL(linear_any_rows_##dtype, fp::linear_any_threads, 2) { fp::linear_any_rows<Element>(params); }

FP_INSTANTIATE_LINEAR(f16, fp::F16)
FP_INSTANTIATE_LINEAR(bf16, fp::Bf16)
FP_INSTANTIATE_LINEAR_ANY(f32, fp::F32Element)
FP_INSTANTIATE_LINEAR_ANY(f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_LINEAR_ANY(bf16, fp::HalfElement<fp::Bf16>)

// Queries in FP8 as 16-bit ones.
#include "kernels/queries_from_fp8.cuh"

#define FP_INSTANTIATE_QUERIES_FROM_FP8(name, Dtype)                                                                                          \
  extern "C" __global__ void __launch_bounds__(fp::query_threads) queries_from_fp8_##name(const __grid_constant__ fp::QueryParams params) { \
    fp::queries_from_fp8<Dtype>(params);                                                                                                      \
  }

FP_INSTANTIATE_QUERIES_FROM_FP8(bf16, fp::Bf16)
FP_INSTANTIATE_QUERIES_FROM_FP8(f16, fp::F16)

// sm90_prefill_fp8.cuh: sm90_prefill.cuh for q, K and V in FP8 (e4m3): products of twice the speed, whose weights are e4m3 too, and whose V the
// producer transposes. See parts/prefill_tiles_sm90.h for the roofline and docs/kernels/prefill.md.
#pragma once
#include "kernels/sm90_prefill.cuh"
#include "kernels/sm90_prefill_fp8_producer.cuh"

#define FP_INSTANTIATE_PREFILL_FP8_SM90(name, Dtype, kDim, kGather, kFeatures)                                                              \
  extern "C" __global__ void __launch_bounds__(fp::prefill_threads_sm90(fp::prefill_tile_fp8_sm90(kDim)), 1) name(const __grid_constant__ fp::PrefillParams90 params) { \
    using Traits = fp::PrefillFp8Traits90<Dtype, kDim, kDim, kGather, kFeatures>;                                                           \
    constexpr int kSharedBytes = fp::prefill_shared_bytes_fp8_sm90(Traits::kTile, kDim);                                                    \
    fp::prefill_sm90<Traits, kSharedBytes, fp::PrefillFp8Shared90<Traits>, fp::PrefillFp8Producer90<Traits>>(params);                       \
  }

// The kernels of one shape: with TMA or gathered rows, plain or with soft cap and custom masks.
#define FP_INSTANTIATE_PREFILL_FP8_SM90_ALL(shape, kDim)                                                  \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_bf16_fp8, fp::Bf16, kDim, false, false)               \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_bf16_fp8_features, fp::Bf16, kDim, false, true)       \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_bf16_fp8_gather, fp::Bf16, kDim, true, false)         \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_bf16_fp8_gather_features, fp::Bf16, kDim, true, true) \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_f16_fp8, fp::F16, kDim, false, false)                 \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_f16_fp8_features, fp::F16, kDim, false, true)         \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_f16_fp8_gather, fp::F16, kDim, true, false)           \
  FP_INSTANTIATE_PREFILL_FP8_SM90(prefill_##shape##_f16_fp8_gather_features, fp::F16, kDim, true, true)

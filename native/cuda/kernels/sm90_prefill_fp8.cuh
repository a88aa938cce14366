// sm90_prefill_fp8.cuh: sm90_prefill.cuh for q, K and V in FP8 (e4m3): products of twice the speed, whose weights are e4m3 too, and whose V the
// producer transposes. See parts/prefill_tiles_sm90.h for the roofline and docs/kernels/prefill.md.
#pragma once
#include "kernels/sm90_prefill_consumer.cuh"
#include "kernels/sm90_prefill_fp8_producer.cuh"

namespace fp {

template <typename Traits>
__device__ __forceinline__ void prefill_fp8_sm90(const PrefillParams90 &p) {
  extern __shared__ __align__(1024) u8 shared_memory[];
  using Shared = PrefillFp8Shared90<Traits>;
  static_assert(sizeof(Shared) <= prefill_shared_bytes_fp8_sm90(Traits::kTile, Traits::kDimQk));
  Shared &shared = *reinterpret_cast<Shared *>(shared_memory);
  const bool has_units = draws_units(p.attention);
  if (threadIdx.x == 0) {
    shared.init_barriers();
    ptx::mbarrier_fence_init();
  }
  if (!has_units) return;
  begin_trace(p.attention, shared.trace_begin, threadIdx.x == 0);
  __syncthreads();
  if (threadIdx.x < 128) {
    ptx::give_registers<Traits::kProducerRegisters>();
    PrefillFp8Producer90<Traits>::run(p, shared);
  } else {
    ptx::take_registers<Traits::kConsumerRegisters>();
    PrefillConsumer90<Traits>::run(p, shared);
  }
}

}  // namespace fp

#define FP_INSTANTIATE_PREFILL_FP8_SM90(name, Dtype, kDim, kGather, kFeatures)                                                              \
  extern "C" __global__ void __launch_bounds__(fp::prefill_threads_sm90(fp::prefill_tile_fp8_sm90(kDim)), 1) name(const __grid_constant__ fp::PrefillParams90 params) { \
    fp::prefill_fp8_sm90<fp::PrefillFp8Traits90<Dtype, kDim, kDim, kGather, kFeatures>>(params);                                            \
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

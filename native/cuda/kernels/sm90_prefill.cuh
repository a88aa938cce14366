// sm90_prefill.cuh: tiles of many rows on Hopper. A producer warpgroup fetches q, K and V into rings in shared memory; each consumer
// warpgroup owns 64 rows. See parts/prefill_tiles_sm90.h for the roofline and docs/kernels/prefill.md for how it came about.
//
// What keeps the matrix units busy (FlashAttention-3, sections 3.1 and 3.2):
//   - within a group, the product q K of a tile is issued before the softmax of the last one is used, so that weights . V of the
//     last tile runs beside the softmax of this one;
//   - between groups, one's products run beside the other's softmax. Nothing orders them: each group needs the matrix units for 1024 clocks of
//     a step and is at its softmax for about as long, so they fall into place by themselves.
// A step is a chain: products of K, softmax, packing, the next products. It must be shorter than the matrix work of all groups, so all that
// is not needed in it is elsewhere: see docs/kernels/prefill.md.
//
// Units are drawn from the plan's queue, the longest first, so that no CTA is left with a long one at the end; CTAs that run at the
// same time are at the same KV head and share its K and V in L2.
#pragma once
#include "kernels/sm90_prefill_producer.cuh"
#include "kernels/sm90_prefill_consumer.cuh"

namespace fp {

// kSharedBytes: what the launcher asks for. In FP8 shared memory and the producer have more to do: sm90_prefill_fp8.cuh.
template <typename Traits, int kSharedBytes, typename Shared = PrefillShared90<Traits>, typename Producer = PrefillProducer90<Traits>>
__device__ __forceinline__ void prefill_sm90(const PrefillParams90 &p) {
  extern __shared__ __align__(1024) u8 shared_memory[];
  static_assert(sizeof(Shared) <= kSharedBytes);
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
    Producer::run(p, shared);
  } else {
    ptx::take_registers<Traits::kConsumerRegisters>();
    PrefillConsumer90<Traits>::run(p, shared);
  }
}

}  // namespace fp

#define FP_INSTANTIATE_PREFILL_SM90(name, Dtype, kDimQk, kDimVo, kGather, kFeatures)                                                 \
  extern "C" __global__ void __launch_bounds__(fp::prefill_threads_sm90(fp::prefill_tile_sm90(kDimQk, kDimVo, kGather, kFeatures)), 1)                   \
      name(const __grid_constant__ fp::PrefillParams90 params) {                                                                    \
    using Traits = fp::PrefillTraits90<Dtype, kDimQk, kDimVo, kGather, kFeatures>;                                                  \
    fp::prefill_sm90<Traits, fp::prefill_shared_bytes_sm90(Traits::kTile, kDimQk, kDimVo)>(params);                                 \
  }

// The kernels of one shape: with TMA or gathered rows, plain or with soft cap and custom masks.
#define FP_INSTANTIATE_PREFILL_SM90_ALL(shape, kDimQk, kDimVo)                                              \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_bf16, fp::Bf16, kDimQk, kDimVo, false, false)               \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_bf16_features, fp::Bf16, kDimQk, kDimVo, false, true)       \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_bf16_gather, fp::Bf16, kDimQk, kDimVo, true, false)         \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_bf16_gather_features, fp::Bf16, kDimQk, kDimVo, true, true) \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_f16, fp::F16, kDimQk, kDimVo, false, false)                 \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_f16_features, fp::F16, kDimQk, kDimVo, false, true)         \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_f16_gather, fp::F16, kDimQk, kDimVo, true, false)           \
  FP_INSTANTIATE_PREFILL_SM90(prefill_##shape##_f16_gather_features, fp::F16, kDimQk, kDimVo, true, true)

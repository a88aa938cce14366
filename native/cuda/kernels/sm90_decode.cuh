// sm90_decode.cuh: decode tiles on Hopper, where pages are whole chunks: K and V by the copy engine. Everything else is as in sm80_attention.cuh.
#pragma once
#include "kernels/sm80_attention_decode.cuh"
#include "kernels/sm90_decode_box_ring.cuh"

namespace fp {

template <typename Traits>
__device__ __forceinline__ void decode_sm90(const PrefillParams90 &params) {
  extern __shared__ __align__(1024) u8 shared_memory[];
  using Ring = BoxRing<Traits>;
  const AttentionParams &p = params.attention;
  const CtaWords words(p, threadIdx.x % 32);
  // While those are on their way: the engine reads the maps from memory, and no copy begins before they are there.
  if (threadIdx.x == 96) ptx::tma_prefetch(params.k_map);
  if (threadIdx.x == 64) ptx::tma_prefetch(params.v_map);
  using Decode = DecodeLoop<Traits, Ring>;
  auto &shared = *reinterpret_cast<DecodeShared<Traits, Ring> *>(shared_memory);
  Decode::prepare(params, shared);
  // Who has a start needs nothing else of the plan before its end.
  const bool may_start = p.cta_places.start_words != 0;
  Decode::prefetch(p, threadIdx.x, !may_start);
  const ItemStart start = words.start();
  ItemRange items{static_cast<i32>(blockIdx.x), static_cast<i32>(blockIdx.x) + 1};
  if (!start.exists()) {
    if (may_start) prefetch_plan(p, threadIdx.x / 32, threadIdx.x % 32);
    items = words.items(p);
  }
  Decode::run(params, shared, items, words.first_item(p, items), start);
}

}  // namespace fp

#define FP_INSTANTIATE_DECODE_SM90_KERNEL(name, Dtype, kDimQk, kDimVo, kFp8)                                                      \
  extern "C" __global__ void __launch_bounds__(fp::AttentionTraits<Dtype, kDimQk, kDimVo, kFp8>::kThreads,                       \
                                               fp::AttentionTraits<Dtype, kDimQk, kDimVo, kFp8>::kCtasPerSm)                     \
      name(const __grid_constant__ fp::PrefillParams90 params) {                                                                 \
    fp::decode_sm90<fp::AttentionTraits<Dtype, kDimQk, kDimVo, kFp8>>(params);                                                   \
  }

// The kernels of one shape.
#define FP_INSTANTIATE_DECODE_SM90(shape, kDimQk, kDimVo)                                    \
  FP_INSTANTIATE_DECODE_SM90_KERNEL(decode_##shape##_bf16, fp::Bf16, kDimQk, kDimVo, false) \
  FP_INSTANTIATE_DECODE_SM90_KERNEL(decode_##shape##_f16, fp::F16, kDimQk, kDimVo, false)

// The same for KV caches in FP8.
#define FP_INSTANTIATE_DECODE_SM90_FP8(shape, kDim)                                          \
  FP_INSTANTIATE_DECODE_SM90_KERNEL(decode_##shape##_bf16_fp8, fp::Bf16, kDim, kDim, true)  \
  FP_INSTANTIATE_DECODE_SM90_KERNEL(decode_##shape##_f16_fp8, fp::F16, kDim, kDim, true)

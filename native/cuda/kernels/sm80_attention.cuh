// sm80_attention.cuh: attention over a work list with mma.sync and cp.async, for every GPU since Ampere. Persistent: a CTA walks its
// run of work items; stretches of decode tiles and of prefill tiles each have their own loop.
#pragma once
#include "kernels/sm80_attention_decode.cuh"
#include "kernels/sm80_attention_prefill.cuh"

namespace fp {

template <typename Traits>
__device__ __forceinline__ void attention(const AttentionParams &p) {
  extern __shared__ __align__(1024) u8 shared_memory[];
  const CtaWords words(p, threadIdx.x % 32);
  using Decode = DecodeLoop<Traits>;
  Decode::prefetch(p, threadIdx.x);
  auto &decode_shared = *reinterpret_cast<DecodeShared<Traits, CopiedRing<Traits>> *>(shared_memory);
  Decode::prepare(p, decode_shared);
  const ItemRange items = words.items(p);
  if constexpr (kTileArch == 90 && !Traits::kFp8) {
    // Prefill tiles are in the queue of sm90_prefill.cuh.
    Decode::run(p, decode_shared, items, words.first_item(p, items));
    return;
  }
  for (i32 item = items.begin; item < items.end;) {
    const i32 tile_class = item_class(p, item);
    i32 end = item + 1;
    while (end < items.end && item_class(p, end) == tile_class) ++end;
    if (tile_class == kDecodeTile) {
      Decode::run(p, decode_shared, {item, end}, ItemWords(p, item));
    } else {
      PrefillLoop<Traits>::run(p, *reinterpret_cast<PrefillShared<Traits> *>(shared_memory), item, end);
    }
    item = end;
    // The next stretch lays out shared memory anew.
    __syncthreads();
  }
}

}  // namespace fp

#define FP_INSTANTIATE_ATTENTION_KERNEL(name, Dtype, kDimQk, kDimVo, kFp8)                                                       \
  extern "C" __global__ void __launch_bounds__(fp::AttentionTraits<Dtype, kDimQk, kDimVo, kFp8>::kThreads,                      \
                                               fp::AttentionTraits<Dtype, kDimQk, kDimVo, kFp8>::kCtasPerSm)                    \
      name(const __grid_constant__ fp::AttentionParams params) {                                                                 \
    fp::attention<fp::AttentionTraits<Dtype, kDimQk, kDimVo, kFp8>>(params);                                                     \
  }

// The kernels of one shape, which their names say: d128, or d192_v128 if values have another dim.
#define FP_INSTANTIATE_ATTENTION(shape, kDimQk, kDimVo)                                           \
  FP_INSTANTIATE_ATTENTION_KERNEL(attention_##shape##_bf16, fp::Bf16, kDimQk, kDimVo, false)      \
  FP_INSTANTIATE_ATTENTION_KERNEL(attention_##shape##_f16, fp::F16, kDimQk, kDimVo, false)

// The same for KV caches in FP8.
#define FP_INSTANTIATE_ATTENTION_FP8(shape, kDim)                                                 \
  FP_INSTANTIATE_ATTENTION_KERNEL(attention_##shape##_bf16_fp8, fp::Bf16, kDim, kDim, true)       \
  FP_INSTANTIATE_ATTENTION_KERNEL(attention_##shape##_f16_fp8, fp::F16, kDim, kDim, true)

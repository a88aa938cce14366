// Merging of partials for every value dim, and fp_merge_states.
#include "kernels/merge.cuh"
#include "parts/element.cuh"

#define FP_INSTANTIATE_MERGE(kDimVo)                                                                                                 \
  extern "C" __global__ void __launch_bounds__(fp::merge_warps * 32, 3) merge_d##kDimVo##_bf16(const __grid_constant__ fp::AttentionParams params) { \
    fp::merge_partials<fp::Bf16, kDimVo>(params);                                                                                    \
  }                                                                                                                                  \
  extern "C" __global__ void __launch_bounds__(fp::merge_warps * 32, 3) merge_d##kDimVo##_f16(const __grid_constant__ fp::AttentionParams params) {  \
    fp::merge_partials<fp::F16, kDimVo>(params);                                                                                     \
  }

FP_INSTANTIATE_MERGE(64)
FP_INSTANTIATE_MERGE(96)
FP_INSTANTIATE_MERGE(128)
FP_INSTANTIATE_MERGE(192)
FP_INSTANTIATE_MERGE(256)

#define FP_INSTANTIATE_MERGE_STATES(name, Element)                                                                                   \
  extern "C" __global__ void __launch_bounds__(fp::merge_warps * 32, 4) name(const __grid_constant__ fp::MergeStatesParams params) {    \
    fp::merge_states<Element>(params);                                                                                               \
  }

FP_INSTANTIATE_MERGE_STATES(merge_states_f32, fp::F32Element)
FP_INSTANTIATE_MERGE_STATES(merge_states_bf16, fp::HalfElement<fp::Bf16>)
FP_INSTANTIATE_MERGE_STATES(merge_states_f16, fp::HalfElement<fp::F16>)

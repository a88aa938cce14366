// RoPE: "wide" where heads begin at multiples of 16 bytes and pairs come by whole packs, "narrow" for any.
#include "kernels/rope.cuh"

#define FP_INSTANTIATE_ROPE(name, Element)                                                                                            \
  extern "C" __global__ void __launch_bounds__(fp::model_op_threads) rope_wide_##name(const __grid_constant__ fp::RopeParams params) { \
    fp::rope<Element, fp::kWidePack<Element>>(params);                                                                                \
  }                                                                                                                                   \
  extern "C" __global__ void __launch_bounds__(fp::model_op_threads) rope_narrow_##name(const __grid_constant__ fp::RopeParams params) { \
    fp::rope<Element, 1>(params);                                                                                                     \
  }

FP_INSTANTIATE_ROPE(f32, fp::F32Element)
FP_INSTANTIATE_ROPE(f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_ROPE(bf16, fp::HalfElement<fp::Bf16>)

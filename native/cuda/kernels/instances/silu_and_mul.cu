// SiLU and product: "wide" where both halves of every row begin at multiples of 16 bytes and are whole packs, "narrow" for any.
#include "kernels/silu_and_mul.cuh"

#define FP_INSTANTIATE_SILU_AND_MUL(name, Element)                                                                                    \
  extern "C" __global__ void __launch_bounds__(fp::model_op_threads)                                                                  \
      silu_and_mul_wide_##name(const __grid_constant__ fp::SiluAndMulParams params) {                                                 \
    fp::silu_and_mul<Element, fp::kWidePack<Element>>(params);                                                                        \
  }                                                                                                                                   \
  extern "C" __global__ void __launch_bounds__(fp::model_op_threads)                                                                  \
      silu_and_mul_narrow_##name(const __grid_constant__ fp::SiluAndMulParams params) {                                               \
    fp::silu_and_mul<Element, 1>(params);                                                                                             \
  }

FP_INSTANTIATE_SILU_AND_MUL(f32, fp::F32Element)
FP_INSTANTIATE_SILU_AND_MUL(f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_SILU_AND_MUL(bf16, fp::HalfElement<fp::Bf16>)

// Argmax of each dtype.
#include "kernels/argmax.cuh"

#define FP_INSTANTIATE_ARGMAX(name, Element)                                                                                          \
  extern "C" __global__ void __launch_bounds__(fp::argmax_threads) argmax_##name(const __grid_constant__ fp::ArgmaxParams params) {   \
    fp::argmax<Element>(params);                                                                                                      \
  }

FP_INSTANTIATE_ARGMAX(f32, fp::F32Element)
FP_INSTANTIATE_ARGMAX(f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_ARGMAX(bf16, fp::HalfElement<fp::Bf16>)

extern "C" __global__ void __launch_bounds__(fp::argmax_merge_threads) argmax_merge(const __grid_constant__ fp::ArgmaxParams params) {
  fp::argmax_merge(params);
}

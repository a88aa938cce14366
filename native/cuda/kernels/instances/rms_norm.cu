// RMS norm: "wide" where every row begins at a multiple of 16 bytes and dim is whole packs, "narrow" for any.
#include "kernels/rms_norm.cuh"

// CTAs have 256 or 512 threads. Bounds of 640 x 2 make the compiler keep to 48 registers, for five CTAs of 256 an SM.
#define FP_INSTANTIATE_RMS_NORM(name, Element)                                                                                        \
  extern "C" __global__ void __launch_bounds__(640, 2) rms_norm_wide_##name(const __grid_constant__ fp::RmsNormParams params) {       \
    fp::rms_norm<Element, fp::kWidePack<Element>>(params);                                                                            \
  }                                                                                                                                   \
  extern "C" __global__ void __launch_bounds__(640, 2) rms_norm_narrow_##name(const __grid_constant__ fp::RmsNormParams params) {     \
    fp::rms_norm<Element, 1>(params);                                                                                                 \
  }

FP_INSTANTIATE_RMS_NORM(f32, fp::F32Element)
FP_INSTANTIATE_RMS_NORM(f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_RMS_NORM(bf16, fp::HalfElement<fp::Bf16>)

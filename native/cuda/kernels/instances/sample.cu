// Sampling: the first half of each dtype, the second for all.
#include "kernels/sample_pick.cuh"
#include "kernels/sample_segments.cuh"

#define FP_INSTANTIATE_SAMPLE(name, Element)                                                                                          \
  extern "C" __global__ void __launch_bounds__(fp::sample_segment_threads)                                                            \
      sample_segments_##name(const __grid_constant__ fp::SampleParams params) {                                                       \
    fp::sample_segments<Element>(params);                                                                                             \
  }

FP_INSTANTIATE_SAMPLE(f32, fp::F32Element)
FP_INSTANTIATE_SAMPLE(f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_SAMPLE(bf16, fp::HalfElement<fp::Bf16>)

extern "C" __global__ void __launch_bounds__(fp::sample_pick_threads, 2) sample_pick(const __grid_constant__ fp::SampleParams params) {
  fp::sample_pick(params);
}

// Appending to an FP8 cache what is not FP8 yet.
#include "kernels/kv_append_fp8.cuh"

#define FP_INSTANTIATE_KV_APPEND_FP8(name, Element)                                                                         \
  extern "C" __global__ void __launch_bounds__(fp::kv_threads) name(const __grid_constant__ fp::KvAppendFp8Params params) { \
    fp::kv_append_fp8<Element>(params);                                                                                     \
  }

FP_INSTANTIATE_KV_APPEND_FP8(kv_append_fp8_f32, fp::F32Element)
FP_INSTANTIATE_KV_APPEND_FP8(kv_append_fp8_f16, fp::HalfElement<fp::F16>)
FP_INSTANTIATE_KV_APPEND_FP8(kv_append_fp8_bf16, fp::HalfElement<fp::Bf16>)

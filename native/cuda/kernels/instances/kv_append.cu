// Appending to the KV cache. Without rotation only bytes move, whatever the dtype.
#include "kernels/kv_append.cuh"

#define FP_INSTANTIATE_KV_APPEND(name, Element, kRotates)                                                                            \
  extern "C" __global__ void __launch_bounds__(fp::kv_threads) name(const __grid_constant__ fp::KvAppendParams params) {             \
    fp::kv_append<Element, kRotates>(params);                                                                                        \
  }

FP_INSTANTIATE_KV_APPEND(kv_append, fp::HalfElement<fp::Bf16>, false)
FP_INSTANTIATE_KV_APPEND(kv_append_rope_f16, fp::HalfElement<fp::F16>, true)
FP_INSTANTIATE_KV_APPEND(kv_append_rope_bf16, fp::HalfElement<fp::Bf16>, true)

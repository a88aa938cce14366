// Attention over KV caches in FP8, head dim 192.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION_FP8(d192, 192)

// Attention over KV caches in FP8, head dim 64.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION_FP8(d64, 64)

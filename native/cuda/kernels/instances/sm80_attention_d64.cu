// Attention, head dim 64.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(d64, 64, 64)

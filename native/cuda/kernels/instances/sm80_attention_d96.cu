// Attention, head dim 96.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(d96, 96, 96)

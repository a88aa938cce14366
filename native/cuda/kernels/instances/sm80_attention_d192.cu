// Attention, head dim 192.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(192, 192)

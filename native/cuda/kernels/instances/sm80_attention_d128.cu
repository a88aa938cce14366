// Attention, head dim 128.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(128, 128)

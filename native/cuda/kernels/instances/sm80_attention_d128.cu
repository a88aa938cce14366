// Attention, head dim 128.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(d128, 128, 128)

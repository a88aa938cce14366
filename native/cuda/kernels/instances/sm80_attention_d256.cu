// Attention, head dim 256.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(d256, 256, 256)

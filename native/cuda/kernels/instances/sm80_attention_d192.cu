// Attention, head dim 192.
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(d192, 192, 192)

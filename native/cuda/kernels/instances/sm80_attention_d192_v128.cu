// Attention, head dims 192 (q, k) and 128 (v, out).
#include "kernels/sm80_attention.cuh"

FP_INSTANTIATE_ATTENTION(d192_v128, 192, 128)

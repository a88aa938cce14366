// Decoding on Hopper, head dim 64.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90(d64, 64, 64)

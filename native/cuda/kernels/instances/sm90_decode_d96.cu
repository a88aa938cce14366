// Decoding on Hopper, head dim 96.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90(d96, 96, 96)

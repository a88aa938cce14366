// Decoding on Hopper, head dim 256.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90(d256, 256, 256)

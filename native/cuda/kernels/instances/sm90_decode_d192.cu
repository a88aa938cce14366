// Decoding on Hopper, head dim 192.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90(d192, 192, 192)

// Decoding on Hopper, head dim 128.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90(d128, 128, 128)

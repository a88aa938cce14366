// Decoding on Hopper, head dim 192 of queries and keys, 128 of values.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90(d192_v128, 192, 128)

// Decoding on Hopper from KV caches in FP8, head dim 128.
#include "kernels/sm90_decode.cuh"

FP_INSTANTIATE_DECODE_SM90_FP8(d128, 128)

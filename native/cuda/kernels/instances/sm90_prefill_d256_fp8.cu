// Prefill on Hopper in FP8, head dim 256.
#include "kernels/sm90_prefill_fp8.cuh"

FP_INSTANTIATE_PREFILL_FP8_SM90_ALL(d256, 256)

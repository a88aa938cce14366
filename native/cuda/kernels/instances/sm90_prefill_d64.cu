// Prefill on Hopper, head dim 64.
#include "kernels/sm90_prefill.cuh"

FP_INSTANTIATE_PREFILL_SM90_ALL(d64, 64, 64)

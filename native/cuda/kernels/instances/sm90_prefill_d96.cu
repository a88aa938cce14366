// Prefill on Hopper, head dim 96.
#include "kernels/sm90_prefill.cuh"

FP_INSTANTIATE_PREFILL_SM90_ALL(d96, 96, 96)

// Prefill on Hopper, head dim 256.
#include "kernels/sm90_prefill.cuh"

FP_INSTANTIATE_PREFILL_SM90_ALL(d256, 256, 256)

// Prefill on Hopper, head dim 192.
#include "kernels/sm90_prefill.cuh"

FP_INSTANTIATE_PREFILL_SM90_ALL(d192, 192, 192)

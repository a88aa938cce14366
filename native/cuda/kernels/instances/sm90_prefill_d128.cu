// Prefill on Hopper, head dim 128.
#include "kernels/sm90_prefill.cuh"

FP_INSTANTIATE_PREFILL_SM90_ALL(d128, 128, 128)

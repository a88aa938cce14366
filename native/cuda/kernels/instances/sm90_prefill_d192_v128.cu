// Prefill on Hopper, head dims 192 (q, k) and 128 (v, out).
#include "kernels/sm90_prefill.cuh"

FP_INSTANTIATE_PREFILL_SM90_ALL(d192_v128, 192, 128)

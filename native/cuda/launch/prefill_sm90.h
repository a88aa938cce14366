// prefill_sm90.h: the Hopper kernel for prefill tiles, kernels/sm90_prefill.cuh.
#pragma once
#include "../parts/attention_params.h"
#include "cuda.h"

namespace fp::cuda {

// True if this device's plans queue their prefill tiles for it.
bool has_prefill_sm90(CudaDevice &device);
// fp8: of the kernel for q, K and V in FP8, kernels/sm90_prefill_fp8.cuh.
void prefill_limits_sm90(CudaDevice &device, int head_dim_qk, int head_dim_vo, bool fp8, fp_attention_limits &limits);
void launch_prefill_sm90(const Launch &launch, const fp_attention_args &args, const AttentionParams &params);

}  // namespace fp::cuda

// decode_sm90.h: decode tiles on Hopper by the copy engine, where pages allow it.
#pragma once
#include "../parts/attention_params.h"
#include "cuda.h"

namespace fp::cuda {

// Launches kernels/sm90_decode.cuh for the plan's decode tiles. False, and nothing is launched, if K and V don't lie in whole chunks that the copy engine
// can describe.
bool launch_decode_sm90(const Launch &launch, const fp_attention_args &args, const AttentionParams &attention, unsigned num_threads, unsigned shared_bytes);

}  // namespace fp::cuda

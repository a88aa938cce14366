// fp8_queries.h: queries in FP8 for kernels that take them in 16 bits, kernels/queries_from_fp8.cuh.
#pragma once
#include "../parts/attention_params.h"
#include "cuda.h"

namespace fp::cuda {

// Launches the conversion into scratch memory, and points params at what it writes. Their other scale stays with the keys' (params_of).
void convert_fp8_queries(const Launch &launch, const fp_attention_args &args, AttentionParams &params);

}  // namespace fp::cuda

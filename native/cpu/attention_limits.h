// attention_limits.h: what the planner must know of the CPU's attention.
#pragma once
#include "../flashpage.h"
#include "ops.h"

namespace fp::cpu {

// Fills all but struct_size; throws FP_NOT_SUPPORTED naming what is supported.
void attention_limits(int num_threads, Isa isa, int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits);

}  // namespace fp::cpu

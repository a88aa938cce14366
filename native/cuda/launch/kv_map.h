// kv_map.h: K and V of a paged cache as tensors for Hopper's copy engine.
#pragma once
#include "../../flashpage.h"
#include "../parts/prefill_params_sm90.h"

namespace fp::cuda {

// K and V of an attention in boxes of params.box_tokens tokens: fills in the maps. False: the engine can't describe the strides.
bool describe_kv(const fp_attention_args &args, PrefillParams90 &params);

}  // namespace fp::cuda

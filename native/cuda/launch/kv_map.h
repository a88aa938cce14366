// kv_map.h: K or V of a paged cache as a tensor for Hopper's copy engine.
#pragma once
#include <cstdint>

#include "../../flashpage.h"
#include "../parts/prefill_params_sm90.h"
#include "driver.h"

namespace fp::cuda {

struct KvMemory {
  const void *address;
  double page_stride, token_stride, head_stride;  // elements
  int num_pages, page_size, num_heads, head_dim;
  int element_bytes;  // 2, or 1
};

struct KvMap {
  PrefillTensorMap map;
  int places_of_page;
  int num_places;
};

// False: the engine can't describe these strides.
bool describe_kv(const KvMemory &kv, int box_tokens, KvMap &result);

// K and V of an attention in boxes of params.box_tokens tokens: fills in the maps. False: the engine can't describe the strides.
bool describe_kv_of(const fp_attention_args &args, PrefillParams90 &params);

}  // namespace fp::cuda

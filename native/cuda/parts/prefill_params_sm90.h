// prefill_params_sm90.h: what the sm_90a prefill kernel is given.
#pragma once
#include "attention_params.h"
#if defined(__CUDACC_RTC__)
#include "ptx/tma.cuh"
#endif

namespace fp {

#if defined(__CUDACC_RTC__)
using PrefillTensorMap = ptx::TensorMap;
#else
struct alignas(64) PrefillTensorMap {
  unsigned long long words[16];
};
#endif

struct PrefillParams90 {
  // K and V as [page, head, token of the page, dim]; unused where rows are gathered.
  PrefillTensorMap k_map;
  PrefillTensorMap v_map;
  AttentionParams attention;
  int box_tokens;  // KV tokens of a TMA box; divides the page and the KV tile
};

}  // namespace fp

// prefill_params_sm90.h: what the sm_90a kernels are given, for prefill and for decoding.
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
  // K and V as the copy engine sees them, so that one box is what parts/swizzled_tile.cuh wants of whole groups of rows: [place, row
  // group of the page, block of columns, row of the group, column of the block]. place = page * places_of_page + head.
  PrefillTensorMap k_map;
  PrefillTensorMap v_map;
  int k_places_of_page;
  int v_places_of_page;
  int num_places;  // no page lies here or behind
  int box_tokens;  // KV tokens of a box; divides the page and the KV tile
  AttentionParams attention;
};

}  // namespace fp

#include "kv_map.h"

#include <algorithm>
#include <cstdint>

#include "access.h"
#include "cuda.h"
#include "driver.h"

namespace fp::cuda {
namespace {

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

// Five dimensions are what the engine has. Heads and pages share one, counted in head strides, so a page must be a whole number of those apart
// from the next; it is in every usual layout, K and V in one page included.
bool describe_tensor(const KvMemory &kv, int box_tokens, KvMap &result) {
  const auto page_bytes = static_cast<int64_t>(kv.page_stride) * kv.element_bytes;
  const int64_t place_bytes = kv.num_heads > 1 ? static_cast<int64_t>(kv.head_stride) * kv.element_bytes : page_bytes;
  const int64_t places_of_page = kv.num_pages > 1 && place_bytes > 0 ? page_bytes / place_bytes : 1;
  if (place_bytes <= 0 || (kv.num_pages > 1 && places_of_page * place_bytes != page_bytes)) return false;
  const int64_t num_places = (kv.num_pages - 1) * places_of_page + kv.num_heads;
  if (num_places > INT32_MAX) return false;
  // Columns of 16 bits, as parts/swizzled_tile.cuh counts them: of FP8, two elements are one.
  const int row_columns = kv.head_dim * kv.element_bytes / 2;
  const bool is_wide = row_columns % 64 == 0;
  const unsigned columns = is_wide ? 64 : 32;
  const auto blocks = static_cast<unsigned>(row_columns) / columns;
  const auto token_bytes = static_cast<uint64_t>(kv.token_stride) * static_cast<uint64_t>(kv.element_bytes);
  const uint64_t dims[] = {columns, 8, blocks, static_cast<uint64_t>(kv.page_size) / 8, static_cast<uint64_t>(num_places)};
  const uint64_t strides[] = {token_bytes, columns * 2, 8 * token_bytes, static_cast<uint64_t>(place_bytes)};
  const unsigned box[] = {columns, 8, blocks, static_cast<unsigned>(box_tokens) / 8, 1};
  const unsigned element_strides[] = {1, 1, 1, 1, 1};
  // What L2 fetches around a miss: no more than a row, behind which another head's begins.
  const auto promotion = row_columns >= 128 ? CU_TENSOR_MAP_L2_PROMOTION_L2_256B : CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
  result.places_of_page = static_cast<int>(places_of_page);
  result.num_places = static_cast<int>(num_places);
  return driver().cuTensorMapEncodeTiled(&result.map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 5, const_cast<void *>(kv.address), dims, strides, box, element_strides, 0,
                                         is_wide ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B, promotion, 0) == CUDA_SUCCESS;
}

}  // namespace

bool describe_kv(const fp_attention_args &args, PrefillParams90 &params) {
  KvMap k, v;
  const int kv_bytes = element_bytes(args.kv_dtype);
  if (!describe_tensor({at(args.k), args.k_page_stride, args.k_token_stride, args.k_head_stride, args.num_pages, args.page_size, args.num_kv_heads, args.head_dim_qk, kv_bytes},
                   params.box_tokens, k) ||
      !describe_tensor({at(args.v), args.v_page_stride, args.v_token_stride, args.v_head_stride, args.num_pages, args.page_size, args.num_kv_heads, args.head_dim_vo, kv_bytes},
                   params.box_tokens, v)) {
    return false;
  }
  params.k_map = k.map;
  params.v_map = v.map;
  params.k_places_of_page = k.places_of_page;
  params.v_places_of_page = v.places_of_page;
  params.num_places = std::max(k.num_places, v.num_places);
  return true;
}

}  // namespace fp::cuda

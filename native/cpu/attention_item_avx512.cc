// attention_item_avx512.cc: bf16 queries by products of pairs, f16 and f32 in f32.
#include <immintrin.h>

#include "attention_item.h"

#define FP_LANES 16
namespace fp::cpu {
namespace avx512_item {
namespace {
#include "simd.inl"

#include "attention_kv.inl"
#include "avx512_blocks.inl"
#include "panel_product.inl"

#include "attention_few.inl"
#include "attention_panels.inl"

#include "attention_bf16_avx512.inl"
#include "attention_fp8_avx512.inl"
#include "attention_products_f32.inl"
}  // namespace
}  // namespace avx512_item

void attention_item_avx512(const AttentionItem &item) {
  using namespace avx512_item;
  if (item.dtype != FP_BF16) return attend(item);
  const bool is_few = item.num_rows <= few_rows;
  if (item.kv_dtype == FP_E4M3) return is_few ? attend_few<Fp8PairFew<3>>(item) : attend_panels<Fp8Products<PairProducts, 3>>(item);
  if (item.kv_dtype == FP_E5M2) return is_few ? attend_few<Fp8PairFew<2>>(item) : attend_panels<Fp8Products<PairProducts, 2>>(item);
  return is_few ? attend_few<PairFew>(item) : attend_panels<PairProducts>(item);
}

}  // namespace fp::cpu

#include "attention_item.h"

#define FP_LANES 8
namespace fp::cpu {
namespace avx2_item {
namespace {
#include "simd.inl"

#include "attention_kv.inl"
#include "panel_product.inl"

#include "attention_few.inl"
#include "attention_panels.inl"

#include "attention_products_f32.inl"
}  // namespace
}  // namespace avx2_item

void attention_item_avx2(const AttentionItem &item) { avx2_item::attend(item); }

}  // namespace fp::cpu

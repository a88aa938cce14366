#include "attention_item.h"

#define FP_LANES 4
namespace fp::cpu {
namespace neon_item {
namespace {
#include "simd.inl"

#include "attention_kv.inl"
#include "panel_product.inl"

#include "attention_few.inl"
#include "attention_panels.inl"

#include "attention_products_f32.inl"
}  // namespace
}  // namespace neon_item

void attention_item_neon(const AttentionItem &item) { neon_item::attend(item); }

}  // namespace fp::cpu

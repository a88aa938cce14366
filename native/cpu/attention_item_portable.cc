#include "attention_item.h"

#define FP_LANES 4
namespace fp::cpu {
namespace portable_item {
namespace {
#include "simd.inl"

#include "attention_kv.inl"
#include "panel_product.inl"

#include "attention_few.inl"
#include "attention_panels.inl"

#include "attention_products_f32.inl"
}  // namespace
}  // namespace portable_item

void attention_item_portable(const AttentionItem &item) { portable_item::attend(item); }

}  // namespace fp::cpu

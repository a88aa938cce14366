#include "attention_item.h"

#define FP_ITEM_NAME attention_item
namespace fp::cpu {
namespace neon_item {
namespace {
#include "attention_item.inl"
}  // namespace
}  // namespace neon_item

void attention_item_neon(const AttentionItem &item) { neon_item::attention_item(item); }

}  // namespace fp::cpu

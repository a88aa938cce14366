#include "attention_item.h"

#define FP_ITEM_NAME attention_item
namespace fp::cpu {
namespace portable_item {
namespace {
#include "attention_item.inl"
}  // namespace
}  // namespace portable_item

void attention_item_portable(const AttentionItem &item) { portable_item::attention_item(item); }

}  // namespace fp::cpu

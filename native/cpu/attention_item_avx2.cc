#include "attention_item.h"

#define FP_ITEM_NAME attention_item
namespace fp::cpu {
namespace avx2_item {
namespace {
#include "attention_item.inl"
}  // namespace
}  // namespace avx2_item

void attention_item_avx2(const AttentionItem &item) { avx2_item::attention_item(item); }

}  // namespace fp::cpu

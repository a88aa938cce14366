#include "attention_item.h"

#define FP_ITEM_NAME attention_item
namespace fp::cpu {
namespace avx512_item {
namespace {
#include "attention_item.inl"
}  // namespace
}  // namespace avx512_item

void attention_item_avx512(const AttentionItem &item) { avx512_item::attention_item(item); }

}  // namespace fp::cpu

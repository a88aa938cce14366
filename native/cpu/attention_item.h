// attention_item.h: a work item's rows and one KV head or some, as attention.cc hands them to the code of an instruction set. Plain C types only: files
// compiled with wider instruction sets include this.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../flashpage.h"

namespace fp::cpu {

constexpr int max_head_dim = 256;
constexpr int max_tile_rows = 128;
constexpr int kv_block = 64;  // KV tokens worked on at a time
// Items of so few rows are bound by the reading of K and V: they come with up to so many KV heads at once, which lie side by side in memory.
constexpr int few_rows = 8;
constexpr int max_heads = max_tile_rows / few_rows;

struct AttentionItem {
  int dtype;     // of queries and outputs
  int kv_dtype;  // of keys and values: dtype or FP8
  int head_dim_qk, head_dim_vo;
  int num_rows;  // packed: tokens x group
  int group;
  float sm_scale, soft_cap;
  int causal, window_left, window_right;
  int needs_mask;

  int num_heads;              // KV heads: 1 if num_rows > few_rows
  const float *k_scales, *v_scales;  // [num_heads]: what the elements of keys and values are multiplied by
  const void *const *q_rows;  // [num_heads * num_rows], each head_dim_qk elements
  const int *row_positions;   // [num_rows / group]: logical position of each token

  // KV token j of the list lies in page pages[j / page_size].
  const int32_t *pages;
  int page_size;
  const void *k, *v;  // of the first KV head
  int64_t k_page_stride, k_token_stride, v_page_stride, v_token_stride, k_head_stride, v_head_stride;  // elements
  int kv_begin, kv_end;
  int kv_pos_begin;

  const uint8_t *mask;  // the request's bits, or null
  int64_t mask_stride_bits, mask_row_begin;

  int out_dtype;          // dtype, or FP_F32
  void *const *out_rows;  // [num_heads * num_rows], each head_dim_vo elements: normalised
  float *lse;             // [num_heads * num_rows]
  float *scratch;         // scratch_floats of it, 64-byte aligned
};

// What the largest item needs of scratch memory: queries, outputs, keys and values as floats; scores, weights and hidden bits of a block; and some
// numbers a row.
constexpr size_t scratch_floats = size_t{max_tile_rows} * (2 * max_head_dim + 3 * kv_block + 16) + size_t{kv_block} * 4 * max_head_dim + 4096;

// Computes the rows of out and lse. One for each instruction set.
using AttentionItemFunction = void (*)(const AttentionItem &item);
void attention_item_portable(const AttentionItem &item);
void attention_item_avx2(const AttentionItem &item);
void attention_item_avx512(const AttentionItem &item);
void attention_item_amx(const AttentionItem &item);
void attention_item_neon(const AttentionItem &item);

}  // namespace fp::cpu

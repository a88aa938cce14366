// attention.cc: walks a plan's work items over the pool's threads, then merges what was split. Everything a plan and a page table say is
// checked before memory is read with it, so a damaged one is an error, never a crash.
#include <cmath>
#include <vector>

#include "../host/backend.h"
#include "../host/error.h"
#include "attention_item.h"
#include "attention_limits.h"
#include "kv_scale.h"
#include "ops.h"
#include "run_trace.h"
#include "scratch.h"
#include "store_floats.h"

namespace fp::cpu {
namespace {

struct Plan {
  const fp_plan_header *header;
  const fp_row_tile *tiles;
  const fp_work_item *work;
  const int32_t *cta_begin;
  const fp_merge_item *merges;
  const int32_t *partials;
  const fp_row_entry *rows;
};

Plan read_plan(const fp_attention_args &args) {
  const int32_t *plan = at<const int32_t>(args.plan);
  const Plan found = {
      reinterpret_cast<const fp_plan_header *>(plan),
      reinterpret_cast<const fp_row_tile *>(plan + args.tiles_offset),
      reinterpret_cast<const fp_work_item *>(plan + args.work_offset),
      plan + args.cta_begin_offset,
      reinterpret_cast<const fp_merge_item *>(plan + args.merges_offset),
      plan + args.partials_offset,
      reinterpret_cast<const fp_row_entry *>(plan + args.rows_offset),
  };
  const fp_plan_header &header = *found.header;
  const struct {
    const char *name;
    int count, capacity;
  } counts[] = {
      {"tiles", header.num_tiles, args.max_tiles},
      {"work items", header.num_work_items, args.max_work_items},
      {"CTAs", header.num_ctas, args.num_ctas},
      {"merges", header.num_merges, args.max_merges},
      {"partials", header.num_partials, args.max_partials},
      {"row entries", header.num_row_entries, args.max_row_entries},
      {"partial rows", header.num_partial_rows, args.max_partial_rows},
  };
  for (const auto &[name, count, capacity] : counts) {
    if (count < 0 || count > capacity) fail(FP_INVALID_ARGUMENT, "the plan has %d %s, its capacity is %d. Plan again before running.", count, name, capacity);
  }
  // attention_limits asks for none, so that every item is in a share.
  if (header.num_queued_pieces != 0 || header.num_queued_items != 0) {
    fail(FP_INVALID_ARGUMENT, "the plan has a queue of %d pieces and %d items, which the CPU does not take. Plan for this device before running.", header.num_queued_pieces, header.num_queued_items);
  }
  for (int cta = 0; cta < header.num_ctas; cta++) {
    const int begin = found.cta_begin[cta], end = found.cta_begin[cta + 1];
    if (begin < 0 || end < begin || end > header.num_work_items) fail(FP_INVALID_ARGUMENT, "CTA %d of the plan has work items %d to %d of %d. Plan again before running.", cta, begin, end, header.num_work_items);
  }
  return found;
}

void check_work(const fp_attention_args &args, const Plan &plan, int index) {
  const fp_work_item &work = plan.work[index];
  const fp_plan_header &header = *plan.header;
  const int group = args.num_qo_heads / args.num_kv_heads;
  const auto damaged = [&](const char *what, int64_t value) {
    fail(FP_INVALID_ARGUMENT, "work item %d of the plan has %s %lld. Plan again for this batch before running.", index, what, static_cast<long long>(value));
  };
  if (work.tile < 0 || work.tile >= header.num_tiles) damaged("tile", work.tile);
  const fp_row_tile &tile = plan.tiles[work.tile];
  const int64_t rows = int64_t{tile.num_tokens} * group;
  if (tile.num_tokens < 1 || rows > max_tile_rows) damaged("a tile with tokens", tile.num_tokens);
  if (work.kv_head_begin < 0 || work.num_kv_heads < 1 || work.kv_head_begin > args.num_kv_heads - work.num_kv_heads) damaged("KV heads from", work.kv_head_begin);
  if (work.kv_begin < 0 || work.kv_end < work.kv_begin || work.kv_end > tile.kv_len) damaged("KV tokens to", work.kv_end);
  if (work.partial_row < -1 || (work.partial_row >= 0 && work.partial_row + rows * work.num_kv_heads > args.max_partial_rows)) damaged("partial row", work.partial_row);
  if (tile.token_begin < 0 || tile.token_begin > (tile.gathered ? header.num_row_entries : args.num_tokens) - tile.num_tokens) damaged("a tile at token", tile.token_begin);
  if (tile.gathered) {
    for (int i = 0; i < tile.num_tokens; i++) {
      const int token = plan.rows[tile.token_begin + i].token;
      if (token < 0 || token >= args.num_tokens) damaged("a gathered token", token);
    }
  }
  if (work.kv_begin < work.kv_end) {
    const int first = work.kv_begin / args.page_size, last = (work.kv_end - 1) / args.page_size;
    if (tile.page_begin < 0 || int64_t{tile.page_begin} + last >= args.num_kv_indices) damaged("page list entry", int64_t{tile.page_begin} + last);
    const int32_t *pages = at<const int32_t>(args.kv_indices) + tile.page_begin;
    for (int i = first; i <= last; i++) {
      if (pages[i] < 0 || pages[i] >= args.num_pages) fail(FP_INVALID_ARGUMENT, "page %d of the page table is not in the cache, which has %d pages.", pages[i], args.num_pages);
    }
  }
  if (tile.mask_byte_begin >= 0 && args.custom_mask != 0) {
    const int64_t last_bit = (int64_t{tile.mask_row_begin} + tile.num_tokens - 1) * tile.mask_stride_bits + tile.kv_pos_begin + work.kv_end - 1;
    if (tile.mask_row_begin < 0 || tile.mask_stride_bits < 0 || tile.kv_pos_begin < 0 || tile.mask_byte_begin + (last_bit >> 3) >= static_cast<int64_t>(args.custom_mask_bytes)) {
      damaged("mask bits to", last_bit);
    }
  }
}

// A row of FP8 queries as one of args.dtype: exact, but for the rounding of its product with the head's scale. The scale of all heads goes with the keys'.
void convert_query(const fp_attention_args &args, const uint8_t *source, int64_t head, void *target) {
  float row[max_head_dim], scale = 1;
  if (args.q_head_scales != 0) {
    scale = at<const float>(args.q_head_scales)[head];
    if (!(scale > 0) || !std::isfinite(scale)) fail(FP_INVALID_ARGUMENT, "the q scale of query head %lld is %g. It must be a positive finite number.", static_cast<long long>(head), static_cast<double>(scale));
  }
  for (int d = 0; d < args.head_dim_qk; d++) row[d] = e4m3_to_float(source[d]) * scale;
  store_floats(args.dtype, row, args.head_dim_qk, target, 0);
}

void run_work(const fp_attention_args &args, const Plan &plan, int index, AttentionItemFunction function) {
  thread_local ScratchMemory scratch, converted;
  check_work(args, plan, index);
  const fp_work_item &work = plan.work[index];
  const fp_row_tile &tile = plan.tiles[work.tile];
  const int group = args.num_qo_heads / args.num_kv_heads;
  const int rows = tile.num_tokens * group;
  const int element_bytes = float_bytes(args.dtype), kv_bytes = float_bytes(args.kv_dtype);
  int tokens[max_tile_rows], positions[max_tile_rows];
  for (int i = 0; i < tile.num_tokens; i++) {
    tokens[i] = tile.gathered ? plan.rows[tile.token_begin + i].token : tile.token_begin + i;
    positions[i] = tile.gathered ? plan.rows[tile.token_begin + i].qo_pos : tile.qo_pos_begin + i;
  }

  const void *q_rows[max_tile_rows];
  void *out_rows[max_tile_rows];
  float lse[max_tile_rows], k_scales[max_heads], v_scales[max_heads];
  AttentionItem item = {};
  item.dtype = args.dtype;
  item.kv_dtype = args.kv_dtype;
  item.k_scales = k_scales;
  item.v_scales = v_scales;
  item.head_dim_qk = args.head_dim_qk;
  item.head_dim_vo = args.head_dim_vo;
  item.num_rows = rows;
  item.group = group;
  item.sm_scale = args.sm_scale;
  item.soft_cap = args.logits_soft_cap;
  item.causal = args.causal;
  item.window_left = args.window_left;
  item.window_right = args.window_right;
  item.needs_mask = work.needs_mask;
  item.q_rows = q_rows;
  item.row_positions = positions;
  item.pages = at<const int32_t>(args.kv_indices) + tile.page_begin;
  item.page_size = args.page_size;
  item.k_page_stride = static_cast<int64_t>(args.k_page_stride);
  item.k_token_stride = static_cast<int64_t>(args.k_token_stride);
  item.v_page_stride = static_cast<int64_t>(args.v_page_stride);
  item.v_token_stride = static_cast<int64_t>(args.v_token_stride);
  item.k_head_stride = static_cast<int64_t>(args.k_head_stride);
  item.v_head_stride = static_cast<int64_t>(args.v_head_stride);
  item.kv_begin = work.kv_begin;
  item.kv_end = work.kv_end;
  item.kv_pos_begin = tile.kv_pos_begin;
  if (tile.mask_byte_begin >= 0 && args.custom_mask != 0) {
    item.mask = at<const uint8_t>(args.custom_mask) + tile.mask_byte_begin;
    item.mask_stride_bits = tile.mask_stride_bits;
    item.mask_row_begin = tile.mask_row_begin;
  }
  item.out_dtype = work.partial_row >= 0 ? int{FP_F32} : args.dtype;
  item.out_rows = out_rows;
  item.scratch = scratch.get<float>(scratch_floats);

  float *workspace = at<float>(args.workspace);
  float *workspace_lse = workspace + int64_t{args.max_partial_rows} * args.head_dim_vo;
  const int heads_at_once = rows <= few_rows ? max_heads : 1;
  char *converted_rows = args.q_dtype == args.dtype ? nullptr : converted.get<char>(size_t{max_tile_rows} * max_head_dim * 4);
  for (int h = 0; h < work.num_kv_heads; h += heads_at_once) {
    const int kv_head = work.kv_head_begin + h, left = work.num_kv_heads - h;
    item.num_heads = left < heads_at_once ? left : heads_at_once;
    item.k = at<const char>(args.k) + static_cast<int64_t>(args.k_head_stride) * kv_head * kv_bytes;
    item.v = at<const char>(args.v) + static_cast<int64_t>(args.v_head_stride) * kv_head * kv_bytes;
    for (int i = 0; i < item.num_heads; i++) {
      k_scales[i] = kv_scale("k", args.k_scale, args.k_head_scales, kv_head + i) * args.q_scale;
      v_scales[i] = kv_scale("v", args.v_scale, args.v_head_scales, kv_head + i);
      const float of_score = args.sm_scale * k_scales[i];
      // Element types' units and a change of base come on top.
      if (args.kv_dtype != args.dtype && !(of_score > 0 && std::isfinite(of_score * 512))) {
        fail(FP_INVALID_ARGUMENT, "sm_scale %g times the k scale of KV head %d, %g, is outside of what f32 holds.", static_cast<double>(args.sm_scale), kv_head + i, static_cast<double>(k_scales[i]));
      }
    }
    const int64_t first_partial = work.partial_row + int64_t{h} * rows;
    for (int i = 0; i < item.num_heads * rows; i++) {
      const int r = i % rows;
      const int64_t token = tokens[r / group], head = (kv_head + i / rows) * group + r % group;
      const int64_t q = static_cast<int64_t>(args.q_token_stride) * token + static_cast<int64_t>(args.q_head_stride) * head;
      const int64_t out = static_cast<int64_t>(args.out_token_stride) * token + static_cast<int64_t>(args.out_head_stride) * head;
      if (args.q_dtype == args.dtype) {
        q_rows[i] = at<const char>(args.q) + q * element_bytes;
      } else {
        char *row = converted_rows + int64_t{i} * args.head_dim_qk * element_bytes;
        convert_query(args, at<const uint8_t>(args.q) + q, head, row);
        q_rows[i] = row;
      }
      out_rows[i] = work.partial_row >= 0 ? static_cast<void *>(workspace + (first_partial + i) * args.head_dim_vo) : at<char>(args.out) + out * element_bytes;
    }
    item.lse = work.partial_row >= 0 ? workspace_lse + first_partial : lse;
    function(item);
    if (work.partial_row >= 0 || args.lse == 0) continue;
    for (int i = 0; i < item.num_heads * rows; i++) {
      const int r = i % rows;
      at<float>(args.lse)[int64_t{tokens[r / group]} * args.num_qo_heads + (kv_head + i / rows) * group + r % group] = lse[i];
    }
  }
}

// Joins states in order: weights are exp(lse - max), so an empty state has none; NaN stays NaN. FlashInfer paper, section 2.2.
void merge_row(const float *const *states, const float *lses, int count, int dim, float *out, float *lse) {
  float maximum = -INFINITY;
  for (int i = 0; i < count; i++) maximum = lses[i] > maximum ? lses[i] : maximum;
  for (int d = 0; d < dim; d++) out[d] = 0;
  float sum = 0;
  for (int i = 0; i < count; i++) {
    const float weight = lses[i] == -INFINITY ? 0.0f : std::exp(lses[i] - maximum);
    if (weight == 0.0f) continue;
    sum += weight;
    for (int d = 0; d < dim; d++) out[d] += weight * states[i][d];
  }
  if (sum != 0) {
    for (int d = 0; d < dim; d++) out[d] /= sum;
  }
  *lse = sum == 0 ? -INFINITY : maximum + std::log(sum);
}

void run_merge(const fp_attention_args &args, const Plan &plan, int index) {
  const fp_merge_item &merge = plan.merges[index];
  const int group = args.num_qo_heads / args.num_kv_heads, dim = args.head_dim_vo;
  const bool sane = merge.num_tokens >= 1 && merge.token_begin >= 0 && merge.token_begin <= args.num_tokens - merge.num_tokens && merge.kv_head >= 0 && merge.kv_head < args.num_kv_heads &&
                    merge.num_partials >= 1 && merge.partials_begin >= 0 && merge.partials_begin <= plan.header->num_partials - merge.num_partials;
  if (!sane) fail(FP_INVALID_ARGUMENT, "merge %d of the plan (tokens from %d, KV head %d) does not fit the batch. Plan again before running.", index, merge.token_begin, merge.kv_head);
  const int64_t rows = int64_t{merge.num_tokens} * group;
  const float *workspace = at<const float>(args.workspace);
  const float *workspace_lse = workspace + int64_t{args.max_partial_rows} * dim;
  const int32_t *firsts = plan.partials + merge.partials_begin;
  for (int p = 0; p < merge.num_partials; p++) {
    if (firsts[p] < 0 || firsts[p] + rows > args.max_partial_rows) fail(FP_INVALID_ARGUMENT, "merge %d of the plan reads partial row %d of %d. Plan again before running.", index, firsts[p], args.max_partial_rows);
  }
  std::vector<const float *> states(merge.num_partials);
  std::vector<float> lses(merge.num_partials);
  float out[max_head_dim], lse;
  for (int64_t r = 0; r < rows; r++) {
    for (int p = 0; p < merge.num_partials; p++) {
      states[p] = workspace + (firsts[p] + r) * dim;
      lses[p] = workspace_lse[firsts[p] + r];
    }
    merge_row(states.data(), lses.data(), merge.num_partials, dim, out, &lse);
    const int64_t token = merge.token_begin + r / group;
    const int head = merge.kv_head * group + static_cast<int>(r % group);
    store_floats(args.dtype, out, dim, at<void>(args.out), static_cast<int64_t>(args.out_token_stride) * token + static_cast<int64_t>(args.out_head_stride) * head);
    if (args.lse != 0) at<float>(args.lse)[token * args.num_qo_heads + head] = lse;
  }
}

AttentionItemFunction choose_item(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::amx) return attention_item_amx;
  if (isa == Isa::avx512) return attention_item_avx512;
  if (isa == Isa::avx2) return attention_item_avx2;
#elif defined(__aarch64__)
  if (isa == Isa::neon) return attention_item_neon;
#endif
  (void)isa;
  return attention_item_portable;
}

}  // namespace

void attention(const fp_attention_args &args, ThreadPool &pool, Isa isa) {
  const Plan plan = read_plan(args);
  const AttentionItemFunction function = choose_item(isa);
  const RunTrace trace(args);
  pool.run(plan.header->num_ctas, [&](int cta, int worker) {
    for (int i = plan.cta_begin[cta]; i < plan.cta_begin[cta + 1]; i++) {
      const uint64_t begin = trace.now();
      run_work(args, plan, i, function);
      trace.add(i, plan.work[i], worker, cta, begin);
    }
  });
  pool.run(plan.header->num_merges, [&](int index, int) { run_merge(args, plan, index); });
}

void merge_states(const fp_merge_states_args &args, ThreadPool &pool, Isa) {
  const int dim = args.head_dim;
  const int64_t rows = args.num_rows;
  const int chunk = 64;
  pool.run(static_cast<int>((rows + chunk - 1) / chunk), [&](int index, int) {
    std::vector<float> values(static_cast<size_t>(args.num_states) * dim), lses(args.num_states);
    std::vector<const float *> states(args.num_states);
    std::vector<float> out(dim);
    for (int64_t row = int64_t{index} * chunk; row < rows && row < (int64_t{index} + 1) * chunk; row++) {
      for (int s = 0; s < args.num_states; s++) {
        load_floats(args.dtype, at<const void>(args.states), (s * rows + row) * dim, dim, &values[static_cast<size_t>(s) * dim]);
        states[s] = &values[static_cast<size_t>(s) * dim];
        lses[s] = at<const float>(args.states_lse)[s * rows + row];
      }
      float lse;
      merge_row(states.data(), lses.data(), args.num_states, dim, out.data(), &lse);
      store_floats(args.dtype, out.data(), dim, at<void>(args.out), row * dim);
      if (args.lse != 0) at<float>(args.lse)[row] = lse;
    }
  });
}

void attention_limits(int num_threads, Isa, int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits) {
  const bool dims = head_dim_qk == 64 || head_dim_qk == 96 || head_dim_qk == 128 || head_dim_qk == 192 || head_dim_qk == 256;
  if (!dims || (head_dim_vo != head_dim_qk && !(head_dim_qk == 192 && head_dim_vo == 128))) {
    fail(FP_NOT_SUPPORTED, "head dim %d with value dim %d. Supported are 64, 96, 128, 192, 256, and 192 with 128.", head_dim_qk, head_dim_vo);
  }
  if (dtype != FP_BF16 && dtype != FP_F16 && dtype != FP_F32) fail(FP_NOT_SUPPORTED, "dtype %d. Supported are bf16, f16 and f32.", dtype);
  if (kv_dtype != dtype && kv_dtype != FP_E4M3 && kv_dtype != FP_E5M2) fail(FP_NOT_SUPPORTED, "kv_dtype %d. Supported are the dtype of q, e4m3 and e5m2.", kv_dtype);
  if (q_dtype != dtype && !(q_dtype == FP_E4M3 && kv_dtype == FP_E4M3)) fail(FP_NOT_SUPPORTED, "q_dtype %d. Supported are dtype, and e4m3 beside keys and values of e4m3.", q_dtype);
  if (group_size < 1 || group_size > 64) fail(FP_NOT_SUPPORTED, "%d query heads a KV head. Supported are 1 to 64.", group_size);
  // Twice as many shares as threads: one that the system interrupts is evened out by the others.
  limits.num_ctas = num_threads > 1 ? 2 * num_threads : 1;
  limits.decode_rows = 16;
  limits.prefill_rows = max_tile_rows;
  limits.decode_kv_tile = kv_block;
  limits.prefill_kv_tile = kv_block;
  limits.prefill_ctas = 0;
  limits.reads_starts = 0;
}

}  // namespace fp::cpu

// plan_params.h: the arguments of planning on the device as the kernel and the CPU backend read them.
#pragma once
#include <cstddef>

#include "../cuda/parts/plan_decode_params.h"
#include "backend.h"

namespace fp {

static_assert(int{kPlanGood} == FP_PLAN_GOOD && int{kPlanQoIndptr} == FP_PLAN_QO_INDPTR && int{kPlanQoLen} == FP_PLAN_QO_LEN);
static_assert(int{kPlanNumTokens} == FP_PLAN_NUM_TOKENS && int{kPlanPageIndptr} == FP_PLAN_PAGE_INDPTR && int{kPlanNumPages} == FP_PLAN_NUM_PAGES);
static_assert(int{kPlanLastPageLen} == FP_PLAN_LAST_PAGE_LEN && int{kPlanKvLen} == FP_PLAN_KV_LEN && int{kPlanCapacity} == FP_PLAN_CAPACITY);

inline int plan_window(int tokens) { return tokens < 0 || tokens > unlimited_window ? unlimited_window : tokens; }

inline PlanDecodeParams plan_decode_params(const fp_plan_decode_args &args) {
  int *plan = at<int>(args.plan);
  PlanDecodeParams p{};
  p.qo_indptr = at<const int>(args.qo_indptr);
  p.page_indptr = at<const int>(args.page_indptr);
  p.last_page_len = at<const int>(args.last_page_len);
  p.kv_lens = at<int>(args.kv_lens);
  p.kv_indices = at<const int>(args.kv_indices);
  p.slots = at<int>(args.slots);
  p.positions = at<int>(args.positions);
  p.header = reinterpret_cast<PlanHeader *>(plan);
  p.tiles = reinterpret_cast<RowTile *>(plan + args.tiles_offset);
  p.work = reinterpret_cast<WorkItem *>(plan + args.work_offset);
  p.cta_begin = plan + args.cta_begin_offset;
  p.merges = reinterpret_cast<MergeItem *>(plan + args.merges_offset);
  p.partials = plan + args.partials_offset;
  p.starts = args.starts_offset == 0 ? nullptr : reinterpret_cast<CtaStart *>(plan + args.starts_offset);
  p.max_requests = args.max_requests;
  p.max_tokens = args.max_tokens;
  p.max_qo_len = args.max_qo_len;
  p.max_kv_indices = args.max_kv_indices;
  p.page_size = args.page_size;
  p.appends = args.appends;
  p.num_kv_heads = args.num_kv_heads;
  p.group = args.group_size;
  p.window_left = plan_window(args.window_left);
  p.window_right = args.causal ? 0 : plan_window(args.window_right);
  p.kv_tile = args.kv_tile;
  p.step_cost = args.kv_tile * args.token_cost;
  p.item_cost = args.item_cost;
  p.partial_row_cost = args.partial_row_cost;
  p.shares_bandwidth = args.shares_bandwidth;
  p.num_ctas = args.num_ctas;
  p.max_tiles = args.max_tiles;
  p.max_work_items = args.max_work_items;
  p.max_merges = args.max_merges;
  p.max_partials = args.max_partials;
  p.max_partial_rows = args.max_partial_rows;
  return p;
}

}  // namespace fp

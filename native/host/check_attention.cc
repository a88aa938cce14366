// check_attention.cc: attention and merging of attention states. What the plan's items say lives on the device and can't be
// read here: kernels stay inside of the capacities checked here, and the CPU backend checks each item.
#include <cinttypes>
#include <cmath>
#include <string>

#include "check.h"

namespace fp {
namespace {

constexpr int max_group_size = 64;
constexpr int64_t header_words = sizeof(fp_plan_header) / 4;

// A section that a kernel reads; of no entries it may be anywhere.
void check_section(int offset, int count, int64_t entry_words, int64_t plan_words, const char *name) {
  if (count != 0) check_plan_section(offset, count, entry_words, plan_words, name);
}

void check_plan(Checker &checker, const fp_attention_args &args) {
  const int64_t plan_bytes = whole(args.plan_bytes, "plan_bytes");
  if (plan_bytes % 4 != 0) fail(FP_INVALID_ARGUMENT, "plan_bytes is %" PRId64 ", which is not a multiple of 4.", plan_bytes);
  const int64_t words = plan_bytes / 4;
  if (words < header_words) {
    fail(FP_INVALID_ARGUMENT, "plan_bytes is %" PRId64 ", less than the plan's header of %" PRId64 ".", plan_bytes, header_words * 4);
  }
  check_between(args.num_ctas, 1, 65535, "num_ctas");
  check_between(args.max_partial_rows, 0, INT32_MAX, "max_partial_rows");
  check_between(args.tile_classes, 1, 3, "tile_classes");
  check_section(args.tiles_offset, args.max_tiles, sizeof(fp_row_tile) / 4, words, "tiles");
  check_section(args.work_offset, args.max_work_items, sizeof(fp_work_item) / 4, words, "work items");
  check_section(args.cta_begin_offset, args.num_ctas + 1, 1, words, "cta_begin");
  check_section(args.merges_offset, args.max_merges, sizeof(fp_merge_item) / 4, words, "merges");
  check_section(args.partials_offset, args.max_partials, 1, words, "partials");
  check_section(args.rows_offset, args.max_row_entries, sizeof(fp_row_entry) / 4, words, "row entries");
  if (args.starts_offset != 0) check_section(args.starts_offset, args.num_ctas, sizeof(fp_cta_start) / 4, words, "starts");
  checker.check_tensor("plan", args.plan, FP_I32, {}, words, Access::read, row_alignment(checker));
}

void check_workspace(Checker &checker, const fp_attention_args &args) {
  const int64_t bytes = whole(args.workspace_bytes, "workspace_bytes");
  const int64_t needed = static_cast<int64_t>(args.max_partial_rows) * (args.head_dim_vo + 1) * 4;
  if (bytes < needed) {
    fail(FP_INVALID_ARGUMENT, "workspace_bytes is %" PRId64 ", and max_partial_rows %d of head_dim_vo %d need %" PRId64 ".", bytes,
         args.max_partial_rows, args.head_dim_vo, needed);
  }
  checker.check_tensor("workspace", args.workspace, FP_F32, {}, needed / 4, Access::write, row_alignment(checker));
}

void check_trace(Checker &checker, const fp_attention_args &args) {
  check_between(args.trace_capacity, 1, INT32_MAX, "trace_capacity");
  const int64_t bytes = sizeof(fp_trace_header) + int64_t{args.trace_capacity} * static_cast<int64_t>(sizeof(fp_trace_record));
  checker.check_tensor("trace", args.trace, FP_I32, {}, bytes / 4, Access::write, 16);
}

}  // namespace

void check_head_dims(int head_dim_qk, int head_dim_vo) {
  for (const auto &[value, name] : {std::pair{head_dim_qk, "head_dim_qk"}, std::pair{head_dim_vo, "head_dim_vo"}}) {
    if (value != 64 && value != 96 && value != 128 && value != 192 && value != 256) {
      fail(FP_NOT_SUPPORTED, "%s is %d. Supported: 64, 96, 128, 192, 256.", name, value);
    }
  }
}

void check_page_size(int page_size) { check_between(page_size, 1, 1024, "page_size"); }

void check_scale(Checker &checker, const char *of, int dtype, float scale, fp_address head_scales, int num_heads) {
  const std::string name = std::string(of) + "_scale", heads = std::string(of) + "_head_scales";
  if (!std::isfinite(scale) || scale <= 0) fail(FP_INVALID_ARGUMENT, "%s is %g, and must be a positive finite number.", name.c_str(), static_cast<double>(scale));
  if (!is_fp8(dtype) && (scale != 1 || head_scales != 0)) {
    fail(FP_INVALID_ARGUMENT, "%s is %g%s, but %s is %s: only FP8 is scaled. Pass 1, and no head scales.", name.c_str(), static_cast<double>(scale),
         head_scales != 0 ? " beside head scales" : "", of, dtype_name(dtype));
  }
  if (head_scales != 0) checker.check_tensor(heads.c_str(), head_scales, FP_F32, {}, num_heads, Access::read);
}

void check_attention_shape(bool is_cpu, int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size) {
  check_dtype(dtype, is_cpu ? float_dtypes : half_dtypes, "dtype", is_cpu ? "by attention on the CPU" : "by attention on CUDA");
  check_dtype(kv_dtype, dtype_bit(dtype) | fp8_dtypes, "kv_dtype", "beside this dtype");
  check_dtype(q_dtype, dtype_bit(dtype) | (kv_dtype == FP_E4M3 ? dtype_bit(FP_E4M3) : 0), "q_dtype", "beside these dtypes of out, keys and values");
  check_head_dims(head_dim_qk, head_dim_vo);
  if (group_size < 1 || group_size > max_group_size) {
    fail(FP_NOT_SUPPORTED, "the group size (query heads a KV head) is %d. Supported: 1 to %d.", group_size, max_group_size);
  }
}

bool check_attention(Checker &checker, const fp_attention_args &args) {
  check_between(args.num_tokens, 0, INT32_MAX, "num_tokens");
  check_between(args.num_kv_heads, 1, 65535, "num_kv_heads");
  if (args.num_qo_heads < 1 || args.num_qo_heads % args.num_kv_heads != 0) {
    fail(FP_INVALID_ARGUMENT, "num_qo_heads is %d, which is not a multiple of num_kv_heads, %d.", args.num_qo_heads, args.num_kv_heads);
  }
  check_attention_shape(checker.is_cpu(), args.q_dtype, args.dtype, args.kv_dtype, args.head_dim_qk, args.head_dim_vo, args.num_qo_heads / args.num_kv_heads);
  check_page_size(args.page_size);
  check_between(args.num_pages, 0, INT32_MAX, "num_pages");
  check_between(args.num_kv_indices, 0, INT32_MAX, "num_kv_indices");
  check_flag(args.causal, "causal");
  check_between(args.window_left, -1, INT32_MAX, "window_left");
  check_between(args.window_right, -1, INT32_MAX, "window_right");
  if (!(args.sm_scale > 0)) {
    fail(FP_INVALID_ARGUMENT, "sm_scale is %g, and must be a positive finite number, as 1 / sqrt(head_dim_qk).", static_cast<double>(args.sm_scale));
  }
  check_finite(args.sm_scale, "sm_scale");
  check_finite(args.logits_soft_cap, "logits_soft_cap");
  if (args.logits_soft_cap < 0) {
    fail(FP_INVALID_ARGUMENT, "logits_soft_cap is %g. Pass 0 for none, or a positive number.", static_cast<double>(args.logits_soft_cap));
  }

  check_scale(checker, "q", args.q_dtype, args.q_scale, args.q_head_scales, args.num_qo_heads);
  check_scale(checker, "k", args.kv_dtype, args.k_scale, args.k_head_scales, args.num_kv_heads);
  check_scale(checker, "v", args.kv_dtype, args.v_scale, args.v_head_scales, args.num_kv_heads);

  const int alignment = row_alignment(checker);
  checker.check_tensor("q", args.q, args.q_dtype,
                       {{"num_tokens", args.num_tokens, whole(args.q_token_stride, "q_token_stride")},
                        {"num_qo_heads", args.num_qo_heads, whole(args.q_head_stride, "q_head_stride")}},
                       args.head_dim_qk, Access::read, alignment);
  checker.check_tensor("k", args.k, args.kv_dtype,
                       {{"num_pages", args.num_pages, whole(args.k_page_stride, "k_page_stride")},
                        {"page_size", args.page_size, whole(args.k_token_stride, "k_token_stride")},
                        {"num_kv_heads", args.num_kv_heads, whole(args.k_head_stride, "k_head_stride")}},
                       args.head_dim_qk, Access::read, alignment);
  checker.check_tensor("v", args.v, args.kv_dtype,
                       {{"num_pages", args.num_pages, whole(args.v_page_stride, "v_page_stride")},
                        {"page_size", args.page_size, whole(args.v_token_stride, "v_token_stride")},
                        {"num_kv_heads", args.num_kv_heads, whole(args.v_head_stride, "v_head_stride")}},
                       args.head_dim_vo, Access::read, alignment);
  checker.check_tensor("out", args.out, args.dtype,
                       {{"num_tokens", args.num_tokens, whole(args.out_token_stride, "out_token_stride")},
                        {"num_qo_heads", args.num_qo_heads, whole(args.out_head_stride, "out_head_stride")}},
                       args.head_dim_vo, Access::write, alignment);
  if (args.lse != 0) {
    checker.check_tensor("lse", args.lse, FP_F32, {{"num_tokens", args.num_tokens, args.num_qo_heads}}, args.num_qo_heads, Access::write);
  }
  checker.check_tensor("kv_indices", args.kv_indices, FP_I32, {}, args.num_kv_indices, Access::read);
  const int64_t mask_bytes = whole(args.custom_mask_bytes, "custom_mask_bytes");
  if (args.custom_mask != 0) checker.check_range(args.custom_mask, mask_bytes, "custom_mask");
  check_plan(checker, args);
  check_workspace(checker, args);
  if (args.trace != 0) check_trace(checker, args);
  return args.num_tokens > 0;
}

bool check_merge_states(Checker &checker, const fp_merge_states_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by merging of states");
  check_between(args.num_rows, 0, INT32_MAX, "num_rows");
  check_between(args.num_states, 1, INT32_MAX, "num_states");
  check_between(args.head_dim, 1, 65536, "head_dim");
  const int64_t state_elements = multiply(args.num_rows, args.head_dim, "a state");
  checker.check_tensor("states", args.states, args.dtype, {{"num_states", args.num_states, state_elements}, {"num_rows", args.num_rows, args.head_dim}},
                       args.head_dim, Access::read);
  checker.check_tensor("states_lse", args.states_lse, FP_F32, {{"num_states", args.num_states, args.num_rows}}, args.num_rows, Access::read);
  checker.check_tensor("out", args.out, args.dtype, {{"num_rows", args.num_rows, args.head_dim}}, args.head_dim, Access::write);
  if (args.lse != 0) checker.check_tensor("lse", args.lse, FP_F32, {}, args.num_rows, Access::write);
  return args.num_rows > 0;
}

}  // namespace fp

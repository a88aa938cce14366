// check_plan.cc: planning on the device. What the batch's arrays say is checked where they are read; here that they and the plan exist.
#include <cinttypes>

#include "check.h"

namespace fp {

// Entries lie at multiples of 16 bytes, since CUDA reads and writes them in such pieces.
void check_plan_section(int offset, int count, int64_t entry_words, int64_t plan_words, const char *name) {
  if (count < 0) fail(FP_INVALID_ARGUMENT, "the plan's capacity of %s is %d, and must not be negative.", name, count);
  constexpr int64_t header_words = sizeof(fp_plan_header) / 4;
  if (offset < header_words || offset % 4 != 0 || offset + count * entry_words > plan_words) {
    fail(FP_INVALID_ARGUMENT,
         "the plan's section of %s, %d entries of %" PRId64 " words from word %d, is not between the header (%" PRId64 " words) and the end of the plan (%" PRId64
         " words), or begins at no multiple of 4.",
         name, count, entry_words, offset, header_words, plan_words);
  }
}

bool check_plan_decode(Checker &checker, const fp_plan_decode_args &args) {
  check_between(args.max_requests, 1, INT32_MAX - 1, "max_requests");
  check_between(args.max_tokens, 1, INT32_MAX, "max_tokens");
  check_between(args.max_kv_indices, 0, INT32_MAX, "max_kv_indices");
  check_between(args.group_size, 1, 64, "group_size");
  check_between(args.max_qo_len, 1, 1024 / args.group_size, "max_qo_len");
  check_between(args.num_kv_heads, 1, 65535, "num_kv_heads");
  check_page_size(args.page_size);
  check_flag(args.causal, "causal");
  check_between(args.window_left, -1, INT32_MAX, "window_left");
  check_between(args.window_right, -1, INT32_MAX, "window_right");
  check_between(args.kv_tile, 1, 65536, "kv_tile");
  check_between(args.token_cost, 1, 32767, "token_cost");
  check_between(args.item_cost, 1, 65536, "item_cost");
  check_between(args.partial_row_cost, 0, 65536, "partial_row_cost");
  check_flag(args.shares_bandwidth, "shares_bandwidth");
  check_flag(args.appends, "appends");
  check_between(args.num_ctas, 1, 65535, "num_ctas");
  check_between(args.max_partial_rows, 0, INT32_MAX, "max_partial_rows");
  // Costs of a head's units are summed up in 44 bits, beside two counts.
  const double most_cost = (static_cast<double>(args.max_kv_indices) * args.page_size + 2. * args.kv_tile * args.max_requests) * args.token_cost +
                           static_cast<double>(args.item_cost) * args.max_requests;
  if (most_cost >= 0x1p44 || most_cost * args.num_kv_heads >= 0x1p53) {
    fail(FP_NOT_SUPPORTED, "max_kv_indices %d of %d tokens are more KV than a cost of 44 bits counts. Lower one of them.", args.max_kv_indices, args.page_size);
  }
  if ((args.last_page_len == 0) == (args.kv_lens == 0)) {
    fail(FP_INVALID_ARGUMENT, "last_page_len and kv_lens are %s. Give one of them.", args.kv_lens == 0 ? "absent" : "both there");
  }
  if (args.appends && args.kv_lens == 0) fail(FP_INVALID_ARGUMENT, "appends is 1 without kv_lens: there is nothing that could grow.");

  const int64_t plan_bytes = whole(args.plan_bytes, "plan_bytes");
  const int64_t words = plan_bytes / 4;
  check_plan_section(args.tiles_offset, args.max_tiles, sizeof(fp_row_tile) / 4, words, "tiles");
  check_plan_section(args.work_offset, args.max_work_items, sizeof(fp_work_item) / 4, words, "work items");
  check_plan_section(args.cta_begin_offset, args.num_ctas + 1, 1, words, "cta_begin");
  check_plan_section(args.merges_offset, args.max_merges, sizeof(fp_merge_item) / 4, words, "merges");
  check_plan_section(args.partials_offset, args.max_partials, 1, words, "partials");
  if (args.starts_offset != 0) check_plan_section(args.starts_offset, args.num_ctas, sizeof(fp_cta_start) / 4, words, "starts");
  checker.check_tensor("plan", args.plan, FP_I32, {}, words, Access::write, row_alignment(checker));
  checker.check_tensor("qo_indptr", args.qo_indptr, FP_I32, {}, int64_t{args.max_requests} + 1, Access::read);
  checker.check_tensor("page_indptr", args.page_indptr, FP_I32, {}, int64_t{args.max_requests} + 1, Access::read);
  if (args.last_page_len != 0) checker.check_tensor("last_page_len", args.last_page_len, FP_I32, {}, args.max_requests, Access::read);
  if (args.kv_lens != 0) checker.check_tensor("kv_lens", args.kv_lens, FP_I32, {}, args.max_requests, Access::write);
  checker.check_tensor("kv_indices", args.kv_indices, FP_I32, {}, args.max_kv_indices, Access::read);
  if (args.slots != 0) checker.check_tensor("slots", args.slots, FP_I32, {}, args.max_tokens, Access::write);
  if (args.positions != 0) checker.check_tensor("positions", args.positions, FP_I32, {}, args.max_tokens, Access::write);
  return true;
}

}  // namespace fp

// attention.cc: attention over a work list, and merging. See kernels/sm80_attention.cuh and kernels/merge.cuh.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "../../host/check.h"
#include "../parts/attention_params.h"
#include "../parts/attention_tiles.cuh"
#include "../parts/prefill_tiles_sm90.h"
#include "access.h"
#include "cuda.h"
#include "decode_sm90.h"
#include "fp8_queries.h"
#include "launch_branch.h"
#include "prefill_sm90.h"

namespace fp::cuda {
namespace {

// The kernels read the plan by structs of their own, since NVRTC has no <stdint.h>: they must be the header's.
static_assert(sizeof(PlanHeader) == sizeof(fp_plan_header) && offsetof(PlanHeader, status) == offsetof(fp_plan_header, status));
static_assert(sizeof(RowTile) == sizeof(fp_row_tile) && offsetof(RowTile, mask_row_begin) == offsetof(fp_row_tile, mask_row_begin));
static_assert(sizeof(WorkItem) == sizeof(fp_work_item) && offsetof(WorkItem, merge) == offsetof(fp_work_item, merge));
static_assert(sizeof(MergeItem) == sizeof(fp_merge_item) && offsetof(MergeItem, arrivals) == offsetof(fp_merge_item, arrivals));
static_assert(sizeof(CtaStart) == sizeof(fp_cta_start) && offsetof(CtaStart, pages) == offsetof(fp_cta_start, page0));
static_assert(sizeof(RowEntry) == sizeof(fp_row_entry) && offsetof(RowEntry, qo_pos) == offsetof(fp_row_entry, qo_pos));
static_assert(sizeof(TraceHeader) == sizeof(fp_trace_header) && sizeof(fp_trace_record) == 32 && offsetof(fp_trace_record, begin_low) == 16);
static_assert(int{kDecodeTile} == FP_TILE_DECODE && int{kPrefillTile} == FP_TILE_PREFILL);

constexpr double log2e = 1.4426950408889634074;
constexpr int merge_rows = 4;           // rows a CTA merges at a time: merge_warps of kernels/merge.cuh
constexpr int merge_row_groups = 8;     // CTAs that share a merge item of a prefill tile's many rows
constexpr unsigned merge_threads = merge_rows * 32;

struct Variant {
  AttentionTile tile;
  Kernel *kernel;
  unsigned threads;
  int shared_bytes;
};

Variant find_variant(CudaDevice &device, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo) {
  if (head_dim_vo != head_dim_qk && !(head_dim_qk == 192 && head_dim_vo == 128)) {
    fail(FP_NOT_SUPPORTED, "head_dim_qk is %d and head_dim_vo %d. On CUDA they must be equal, or 192 and 128.", head_dim_qk, head_dim_vo);
  }
  const bool fp8 = is_fp8(kv_dtype);
  if (fp8 && (head_dim_vo != head_dim_qk || head_dim_qk == 96)) {
    fail(FP_NOT_SUPPORTED, "head_dim_qk is %d and head_dim_vo %d. With FP8 keys and values they must be 64, 128, 192 or 256 on CUDA, and equal.", head_dim_qk, head_dim_vo);
  }
  const ShapeSuffix shape(head_dim_qk, head_dim_vo);
  char module[48], name[48];
  snprintf(module, sizeof module, "sm80_attention_%s%s", shape.text, fp8 ? "_fp8" : "");
  snprintf(name, sizeof name, "attention_%s_%s%s", shape.text, dtype_suffix(dtype), fp8 ? "_fp8" : "");
  Variant variant;
  const int arch = image_arch(device);
  variant.tile = fp8 ? attention_tile_fp8(arch, head_dim_qk) : attention_tile(arch, head_dim_qk, head_dim_vo);
  variant.threads = static_cast<unsigned>(variant.tile.num_warps) * 32;
  variant.shared_bytes = attention_shared_bytes(variant.tile, head_dim_qk, head_dim_vo, element_bytes(kv_dtype));
  if (variant.shared_bytes > max_shared_bytes(device)) {
    fail(FP_NOT_SUPPORTED, "head dim %d needs %d bytes of shared memory a CTA, and this GPU has %d.", head_dim_qk, variant.shared_bytes, max_shared_bytes(device));
  }
  variant.kernel = &find_kernel(device, module, name, variant.shared_bytes);
  return variant;
}

unsigned byte_stride(double elements, int element_bytes, const char *name) {
  const double bytes = elements * element_bytes;
  if (bytes > UINT32_MAX) fail(FP_NOT_SUPPORTED, "%s is %.0f elements. On CUDA, pages, tokens and heads may be 2^32 bytes apart at most.", name, elements);
  return static_cast<unsigned>(bytes);
}

int window(int tokens) { return tokens < 0 || tokens > unlimited_window ? unlimited_window : tokens; }

AttentionParams params_of(const fp_attention_args &args) {
  const int *plan = at<const int>(args.plan);
  const int group = args.num_qo_heads / args.num_kv_heads;
  AttentionParams p{};
  p.header = reinterpret_cast<const PlanHeader *>(plan);
  p.tiles = reinterpret_cast<const RowTile *>(plan + args.tiles_offset);
  p.work = reinterpret_cast<const WorkItem *>(plan + args.work_offset);
  p.merges = reinterpret_cast<const MergeItem *>(plan + args.merges_offset);
  p.partials = plan + args.partials_offset;
  p.rows = reinterpret_cast<const RowEntry *>(plan + args.rows_offset);
  // Without items, their section may be anywhere.
  p.cta_places = {args.max_work_items == 0 ? 0 : args.work_offset, args.cta_begin_offset, args.starts_offset, args.starts_offset == 0 ? 0 : static_cast<int>(sizeof(CtaStart) / sizeof(int))};
  p.num_ctas = args.num_ctas;
  p.max_tiles = args.max_tiles;
  p.max_work_items = args.max_work_items;
  p.max_merges = args.max_merges;
  p.max_partials = args.max_partials;
  p.max_row_entries = args.max_row_entries;
  p.max_partial_rows = args.max_partial_rows;
  p.num_tokens = args.num_tokens;
  p.num_qo_heads = args.num_qo_heads;
  p.by_qo_heads = make_divisor(static_cast<unsigned>(args.num_qo_heads));
  p.num_kv_heads = args.num_kv_heads;
  p.group = group;
  p.by_group = make_divisor(static_cast<unsigned>(group));
  p.num_pages = args.num_kv_indices == 0 ? 0 : args.num_pages;
  p.by_page = make_divisor(static_cast<unsigned>(args.page_size));
  p.num_kv_indices = args.num_kv_indices;
  p.kv_indices = at<const int>(args.kv_indices);
  p.q = at<const char>(args.q);
  p.k = at<const char>(args.k);
  p.v = at<const char>(args.v);
  p.out = at<char>(args.out);
  p.lse = at<float>(args.lse);
  p.partial_out = at<float>(args.workspace);
  p.partial_lse = p.partial_out + static_cast<size_t>(args.max_partial_rows) * args.head_dim_vo;
  // Of one token, or one head, the stride says nothing.
  const bool has_tokens = args.num_tokens > 1, has_heads = args.num_qo_heads > 1;
  p.q_token_bytes = byte_stride(has_tokens ? args.q_token_stride : 0, element_bytes(args.q_dtype), "q_token_stride");
  p.q_head_bytes = byte_stride(has_heads ? args.q_head_stride : 0, element_bytes(args.q_dtype), "q_head_stride");
  p.out_token_bytes = byte_stride(has_tokens ? args.out_token_stride : 0, 2, "out_token_stride");
  p.out_head_bytes = byte_stride(has_heads ? args.out_head_stride : 0, 2, "out_head_stride");
  const int kv_bytes = element_bytes(args.kv_dtype);
  p.k_head_bytes = static_cast<long long>(args.k_head_stride) * kv_bytes;
  p.v_head_bytes = static_cast<long long>(args.v_head_stride) * kv_bytes;
  p.k_page_bytes = byte_stride(args.k_page_stride, kv_bytes, "k_page_stride");
  p.k_token_bytes = byte_stride(args.k_token_stride, kv_bytes, "k_token_stride");
  p.v_page_bytes = byte_stride(args.v_page_stride, kv_bytes, "v_page_stride");
  p.v_token_bytes = byte_stride(args.v_token_stride, kv_bytes, "v_token_stride");
  p.mask = at<const unsigned char>(args.custom_mask);
  p.mask_bytes = static_cast<long long>(args.custom_mask_bytes);
  p.window_left = window(args.window_left);
  p.window_right = args.causal ? 0 : window(args.window_right);
  const double cap = args.logits_soft_cap;
  p.score_scale = static_cast<float>((cap > 0 ? cap : args.sm_scale) * log2e);
  p.cap_scale = cap > 0 ? static_cast<float>(args.sm_scale / cap) : 0.0f;
  p.kv_is_e5m2 = args.kv_dtype == FP_E5M2;
  p.k_scale = args.k_scale * args.q_scale;
  p.v_scale = args.v_scale;
  p.k_head_scales = at<const float>(args.k_head_scales);
  p.v_head_scales = at<const float>(args.v_head_scales);
  p.q_head_scales = at<const float>(args.q_head_scales);
  p.trace = at<TraceHeader>(args.trace);
  p.trace_capacity = args.trace_capacity;
  return p;
}

// True if prefill tiles are a kernel's of their own, which draws them from the queue: those of 16 bits throughout, or of FP8 throughout.
bool queues_tall_tiles(CudaDevice &device, int q_dtype, int kv_dtype, int head_dim_qk, int head_dim_vo) {
  if (!has_prefill_sm90(device)) return false;
  return !is_fp8(kv_dtype) || (q_dtype == FP_E4M3 && has_prefill_fp8_sm90(head_dim_qk, head_dim_vo));
}

bool has_tiles(const fp_attention_args &args, int tile_class) { return (args.tile_classes >> tile_class & 1) != 0; }

// The kernel that walks the shares. Changes params if it needs other queries.
void launch_shares(const Launch &launch, const fp_attention_args &args, AttentionParams &params, const Variant &variant, bool has_queue) {
  if (is_fp8(args.q_dtype)) convert_fp8_queries(launch, args, params);
  const auto shared_bytes = static_cast<unsigned>(variant.shared_bytes);
  // Prefill tiles that are not queued are in the shares, which only the kernel for both can walk.
  const bool walks_decode = has_queue || (has_prefill_sm90(launch.device) && !has_tiles(args, FP_TILE_PREFILL) && args.batch_invariant == 0);
  const bool by_engine = walks_decode && launch_decode_sm90(launch, args, params, variant.threads, shared_bytes);
  if (!by_engine) launch_kernel(launch, *variant.kernel, {static_cast<unsigned>(args.num_ctas)}, variant.threads, shared_bytes, &params);
}

// A CTA of the queue needs an SM for itself, so these must be there first: behind CTAs of the shares, two or more an SM, they would find none free until
// those end. A graph may start its branches in any order. Something small before the shares makes them the later ones.
void delay_shares(const Launch &branch, const fp_attention_args &args) {
  constexpr size_t offset = offsetof(fp_plan_header, start_gate);
  FLASHPAGE_CUDA(driver().cuMemsetD8Async(device_address(at<const char>(args.plan) + offset), 0, sizeof(i32), branch.stream), "clearing a word of the plan");
}

}  // namespace

void attention_limits(CudaDevice &device, int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int, fp_attention_limits &limits) {
  const Variant variant = find_variant(device, dtype, kv_dtype, head_dim_qk, head_dim_vo);
  const int fitting = occupancy(device, *variant.kernel, static_cast<int>(variant.threads), variant.shared_bytes);
  if (fitting < 1) fail(FP_NOT_SUPPORTED, "head dim %d does not fit on an SM of this GPU (%d bytes of shared memory).", head_dim_qk, variant.shared_bytes);
  limits.num_ctas = num_sms(device) * std::min(fitting, variant.tile.ctas_per_sm);
  limits.decode_rows = decode_rows;
  limits.prefill_rows = prefill_rows(variant.tile);
  limits.decode_kv_tile = decode_kv_tile;
  limits.prefill_kv_tile = prefill_cut;
  limits.prefill_ctas = 0;
  limits.reads_starts = has_prefill_sm90(device) ? 1 : 0;
  if (queues_tall_tiles(device, q_dtype, kv_dtype, head_dim_qk, head_dim_vo)) prefill_limits_sm90(device, head_dim_qk, head_dim_vo, is_fp8(kv_dtype), limits);
}

void launch_attention(const Launch &launch, const fp_attention_args &args) {
  const Variant variant = find_variant(launch.device, args.dtype, args.kv_dtype, args.head_dim_qk, args.head_dim_vo);
  AttentionParams params = params_of(args);
  const bool has_tall_tiles = has_tiles(args, FP_TILE_PREFILL);
  const bool has_short_tiles = has_tiles(args, FP_TILE_DECODE);
  const bool has_queue = queues_tall_tiles(launch.device, args.q_dtype, args.kv_dtype, args.head_dim_qk, args.head_dim_vo);
  const bool is_mixed = has_queue && has_tall_tiles && has_short_tiles;
  if (is_mixed && args.splits_sms != 0) {
    const ForkedLaunch fork(launch);
    launch_prefill_sm90(launch, args, params);
    delay_shares(fork.branch(), args);
    launch_shares(fork.branch(), args, params, variant, has_queue);
  } else {
    if (has_queue && has_tall_tiles) launch_prefill_sm90(launch, args, params);
    if (!has_queue || has_short_tiles) launch_shares(launch, args, params, variant, has_queue);
  }
  if (args.max_merges == 0 || args.launches_merges == 0) return;
  char name[32];
  snprintf(name, sizeof name, "merge_d%d_%s", args.head_dim_vo, dtype_suffix(args.dtype));
  Kernel &merge = find_kernel(launch.device, "merge", name);
  const Grid grid{static_cast<unsigned>(std::min(args.max_merges, 4 * num_sms(launch.device))), has_tall_tiles ? unsigned{merge_row_groups} : 1u};
  launch_kernel(launch, merge, grid, merge_threads, 0, &params);
}

void launch_merge_states(const Launch &launch, const fp_merge_states_args &args) {
  MergeStatesParams params{};
  params.states = at<const char>(args.states);
  params.states_lse = at<const float>(args.states_lse);
  params.out = at<char>(args.out);
  params.lse = at<float>(args.lse);
  params.num_rows = args.num_rows;
  params.num_states = args.num_states;
  params.head_dim = args.head_dim;
  const char *name = args.dtype == FP_BF16 ? "merge_states_bf16" : args.dtype == FP_F16 ? "merge_states_f16" : "merge_states_f32";
  Kernel &kernel = find_kernel(launch.device, "merge", name);
  const unsigned num_ctas = static_cast<unsigned>((static_cast<int64_t>(args.num_rows) + merge_rows - 1) / merge_rows);
  launch_kernel(launch, kernel, {std::min(num_ctas, static_cast<unsigned>(16 * num_sms(launch.device)))}, merge_threads, 0, &params);
}

}  // namespace fp::cuda

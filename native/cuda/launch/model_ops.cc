// model_ops.cc: norm, rotation, activation and embedding. See the kernels of the same names.
#include <algorithm>
#include <cstdio>

#include "../parts/model_ops_params.h"
#include "access.h"
#include "cuda.h"

namespace fp::cuda {
namespace {

Kernel &find_model_op(const Launch &launch, const char *op, bool wide, int dtype) {
  char name[48];
  snprintf(name, sizeof name, "%s_%s_%s", op, wide ? "wide" : "narrow", dtype_suffix(dtype));
  return find_kernel(launch.device, op, name);
}

// The smallest power of two that is not below `count`, as an exponent, at most `most`.
unsigned log2_up(int64_t count, unsigned most) {
  unsigned exponent = 0;
  while (exponent < most && (int64_t{1} << exponent) < count) ++exponent;
  return exponent;
}

// Lanes enough for a row of num_packs with `steps` packs a thread; long rows are shared by several CTAs.
RowLanes row_lanes(int num_packs, int steps) {
  RowLanes lanes{};
  lanes.lanes_log2 = log2_up(divide_up(num_packs, steps), 8);
  lanes.column_blocks = static_cast<unsigned>(divide_up(num_packs, (int64_t{1} << lanes.lanes_log2) * steps));
  return lanes;
}
static_assert(model_op_threads == 1 << 8);

Grid row_grid(const RowLanes &lanes, int64_t num_rows) {
  const int64_t row_blocks = divide_up(num_rows, model_op_threads >> lanes.lanes_log2);
  return {static_cast<unsigned>(row_blocks * lanes.column_blocks)};
}

}  // namespace

void launch_rms_norm(const Launch &launch, const fp_rms_norm_args &args) {
  RmsNormParams p{};
  p.x = at<const char>(args.x);
  p.residual = at<char>(args.residual);
  p.weight = at<const char>(args.weight);
  p.out = at<char>(args.out);
  p.x_row_bytes = stride_bytes(args.x_row_stride, args.dtype);
  p.residual_row_bytes = args.residual == 0 ? 0 : stride_bytes(args.residual_row_stride, args.dtype);
  p.out_row_bytes = stride_bytes(args.out_row_stride, args.dtype);
  p.num_rows = args.num_rows;
  p.dim = args.dim;
  p.eps = args.eps;
  const int64_t dim_bytes = int64_t{args.dim} * element_bytes(args.dtype);
  const bool wide = is_wide(dim_bytes) && has_wide_rows(args.x, args.num_rows, p.x_row_bytes) && has_wide_rows(args.weight, 1, 0) &&
                    (args.residual == 0 || has_wide_rows(args.residual, args.num_rows, p.residual_row_bytes)) &&
                    has_wide_rows(args.out, args.num_rows, p.out_row_bytes);
  p.num_packs = wide ? static_cast<int>(dim_bytes / 16) : args.dim;
  // With rows for all SMs, two packs a thread keep enough reads under way and halve the threads that meet at the sum.
  const int packs_a_thread = args.num_rows > 2 * num_sms(launch.device) ? 2 : 1;
  p.lanes_log2 = log2_up(divide_up(p.num_packs, packs_a_thread), rms_norm_max_lanes_log2);
  const unsigned threads = std::max(1u << p.lanes_log2, unsigned{model_op_threads});
  const int64_t rows_a_cta = threads >> p.lanes_log2;
  launch_kernel(launch, find_model_op(launch, "rms_norm", wide, args.dtype), {static_cast<unsigned>(divide_up(args.num_rows, rows_a_cta))}, threads, 0, &p);
}

void launch_silu_and_mul(const Launch &launch, const fp_silu_and_mul_args &args) {
  SiluAndMulParams p{};
  p.x = at<const char>(args.x);
  p.out = at<char>(args.out);
  p.x_row_bytes = stride_bytes(args.x_row_stride, args.dtype);
  p.up_bytes = int64_t{args.dim} * element_bytes(args.dtype);
  p.out_row_bytes = stride_bytes(args.out_row_stride, args.dtype);
  p.num_rows = args.num_rows;
  const bool wide = is_wide(p.up_bytes) && has_wide_rows(args.x, args.num_rows, p.x_row_bytes) && has_wide_rows(args.out, args.num_rows, p.out_row_bytes);
  p.num_packs = wide ? static_cast<int>(p.up_bytes / 16) : args.dim;
  p.lanes = row_lanes(p.num_packs, silu_steps);
  launch_kernel(launch, find_model_op(launch, "silu_and_mul", wide, args.dtype), row_grid(p.lanes, args.num_rows), model_op_threads, 0, &p);
}

void launch_embedding(const Launch &launch, const fp_embedding_args &args) {
  EmbeddingParams p{};
  p.ids = at<const int>(args.ids);
  p.table = at<const char>(args.table);
  p.out = at<char>(args.out);
  p.row_bytes = int64_t{args.dim} * element_bytes(args.dtype);
  p.num_tokens = args.num_tokens;
  p.vocab_size = args.vocab_size;
  const int64_t common = static_cast<int64_t>(args.table) | static_cast<int64_t>(args.out) | p.row_bytes;
  const int piece = common % 16 == 0 ? 16 : common % 4 == 0 ? 4 : 2;
  p.num_packs = static_cast<int>(p.row_bytes / piece);
  p.lanes = row_lanes(p.num_packs, embedding_steps);
  Kernel &kernel = find_kernel(launch.device, "embedding", piece == 16 ? "embedding_16" : piece == 4 ? "embedding_4" : "embedding_2");
  launch_kernel(launch, kernel, row_grid(p.lanes, args.num_tokens), model_op_threads, 0, &p);
}

void launch_rope(const Launch &launch, const fp_rope_args &args) {
  RopeParams p{};
  p.x = at<char>(args.x);
  p.positions = at<const int>(args.positions);
  p.inv_freq = at<const float>(args.inv_freq);
  p.token_bytes = stride_bytes(args.x_token_stride, args.dtype);
  p.head_bytes = stride_bytes(args.x_head_stride, args.dtype);
  p.num_tokens = args.num_tokens;
  p.num_heads = args.num_heads;
  p.num_pairs = args.rotary_dim / 2;
  p.interleaved = args.interleaved;
  const int pack = 16 / element_bytes(args.dtype);
  const bool wide = p.num_pairs % pack == 0 && has_wide_rows(args.x, args.num_tokens, p.token_bytes) && has_wide_rows(args.x, args.num_heads, p.head_bytes);
  const int pairs_a_unit = wide ? pack : 1;
  // A CTA gets about two units a thread: some heads of one token, or some tokens of all heads.
  constexpr int units = 2 * model_op_threads;
  p.pairs_per_cta = std::min(p.num_pairs, rope_table_pairs / 4);
  p.pair_blocks = static_cast<int>(divide_up(p.num_pairs, p.pairs_per_cta));
  const int units_a_head = static_cast<int>(divide_up(p.pairs_per_cta, pairs_a_unit));
  p.heads_per_cta = std::clamp(units / units_a_head, 1, p.num_heads);
  p.tokens_per_cta = std::clamp(std::min(units / (units_a_head * p.heads_per_cta), rope_table_pairs / p.pairs_per_cta), 1, 64);
  // Rather one token a CTA than SMs without work.
  if (divide_up(p.num_tokens, p.tokens_per_cta) < 2 * num_sms(launch.device)) p.tokens_per_cta = 1;
  const int64_t token_tiles = divide_up(p.num_tokens, p.tokens_per_cta);
  const Grid grid{static_cast<unsigned>(token_tiles * p.pair_blocks), static_cast<unsigned>(divide_up(p.num_heads, p.heads_per_cta))};
  launch_kernel(launch, find_model_op(launch, "rope", wide, args.dtype), grid, model_op_threads, 0, &p);
}

}  // namespace fp::cuda

// sampling.cc: choosing the next token. See kernels/argmax.cuh, sample_segments.cuh and sample_pick.cuh.
#include <algorithm>
#include <cstddef>
#include <cstdio>

#include "../parts/sampling_params.h"
#include "access.h"
#include "cuda.h"

namespace fp::cuda {
namespace {

static_assert(sizeof(SamplingRow) == sizeof(fp_sampling_row) && offsetof(SamplingRow, step) == offsetof(fp_sampling_row, step));
static_assert(int{kF32Logits} == FP_F32 && int{kF16Logits} == FP_F16 && int{kBf16Logits} == FP_BF16);

Kernel &find_by_dtype(const Launch &launch, const char *module, const char *kind, int dtype) {
  char name[48];
  snprintf(name, sizeof name, "%s_%s", kind, dtype_suffix(dtype));
  return find_kernel(launch.device, module, name);
}

}  // namespace

void launch_argmax(const Launch &launch, const fp_argmax_args &args) {
  ArgmaxParams p{};
  p.logits = at<const char>(args.logits);
  p.row_bytes = stride_bytes(args.logits_row_stride, args.dtype);
  p.out = at<int>(args.out);
  p.num_rows = args.num_rows;
  p.vocab_size = args.vocab_size;
  // Few rows are shared, so that some four CTAs an SM read.
  constexpr int least_part = 8192;
  const int64_t wanted_parts = divide_up(int64_t{4} * num_sms(launch.device), args.num_rows);
  const bool enough_rows = args.num_rows >= 2 * num_sms(launch.device);
  const int64_t num_parts = enough_rows ? 1 : std::min(wanted_parts, divide_up(args.vocab_size, least_part));
  p.part_size = static_cast<int>(divide_up(divide_up(args.vocab_size, num_parts), 16) * 16);
  p.num_parts = static_cast<int>(divide_up(args.vocab_size, p.part_size));
  if (p.num_parts > 1) {
    p.parts = static_cast<unsigned long long *>(scratch_memory(launch, sizeof(*p.parts) * p.num_parts * static_cast<size_t>(args.num_rows)));
  }
  const Grid grid{static_cast<unsigned>(int64_t{args.num_rows} * p.num_parts)};
  launch_kernel(launch, find_by_dtype(launch, "argmax", "argmax", args.dtype), grid, argmax_threads, 0, &p);
  if (p.num_parts == 1) return;
  const Grid merge_grid{static_cast<unsigned>(divide_up(args.num_rows, argmax_merge_threads / 32))};
  launch_kernel(launch, find_kernel(launch.device, "argmax", "argmax_merge"), merge_grid, argmax_merge_threads, 0, &p);
}

void launch_sample(const Launch &launch, const fp_sample_args &args) {
  SampleParams p{};
  p.row_bytes = stride_bytes(args.logits_row_stride, args.dtype);
  p.vocab_size = args.vocab_size;
  p.num_segments = static_cast<int>(divide_up(args.vocab_size, sample_segment));
  p.dtype = args.dtype;
  // Rows go in turns if their scratch memory would get large: 528 bytes a segment.
  constexpr int64_t most_scratch = int64_t{64} << 20;
  const int64_t segment_bytes = sizeof(*p.segment_best) + sizeof(*p.segment_mass) + sizeof(*p.group_max) * sample_segment_threads;
  const int64_t rows_a_turn = std::clamp<int64_t>(most_scratch / (segment_bytes * p.num_segments), 1, args.num_rows);
  const int64_t num_segments = rows_a_turn * p.num_segments;
  p.segment_best = static_cast<unsigned long long *>(scratch_memory(launch, static_cast<size_t>(num_segments * segment_bytes)));
  p.segment_mass = reinterpret_cast<double *>(p.segment_best + num_segments);
  p.group_max = reinterpret_cast<unsigned *>(p.segment_mass + num_segments);
  Kernel &segments = find_by_dtype(launch, "sample", "sample_segments", args.dtype);
  Kernel &pick = find_kernel(launch.device, "sample", "sample_pick", sample_pick_shared_bytes);
  for (int64_t row = 0; row < args.num_rows; row += rows_a_turn) {
    p.logits = at<const char>(args.logits) + row * p.row_bytes;
    p.rows = at<const SamplingRow>(args.rows) + row;
    p.out = at<int>(args.out) + row;
    p.num_rows = static_cast<int>(std::min(rows_a_turn, args.num_rows - row));
    launch_kernel(launch, segments, {static_cast<unsigned>(int64_t{p.num_rows} * p.num_segments)}, sample_segment_threads, 0, &p);
    launch_kernel(launch, pick, {static_cast<unsigned>(p.num_rows)}, sample_pick_threads, sample_pick_shared_bytes, &p);
  }
}

}  // namespace fp::cuda

// linear.cc: x . w^T. Chooses the form by dtype and number of tokens, brings x into its shape, and splits the product over the pool.
#include "linear_form.h"

#include "../host/backend.h"
#include "float_convert.h"
#include "ops.h"
#include "scratch.h"

namespace fp::cpu {
namespace {

// Up to so many tokens, panels of 16 would compute more lanes for nothing than dot products cost in sums across lanes.
constexpr int max_few_tokens = 12;
// With AMX, a tile of tokens costs less than the dot products of so many.
[[maybe_unused]] constexpr int max_few_tokens_amx = 4;

const LinearForm &choose_form(Isa isa, int dtype, int num_tokens) {
  const bool few = num_tokens <= max_few_tokens;
#if defined(__x86_64__)
  const bool has_pairs = dtype == FP_BF16;
  if (isa == Isa::amx && has_pairs && num_tokens > max_few_tokens_amx) return linear_form_bf16_amx();
  if (isa == Isa::amx || isa == Isa::avx512) return has_pairs ? linear_form_bf16_avx512(few) : linear_form_avx512(few);
  if (isa == Isa::avx2) return linear_form_avx2(few);
#elif defined(__aarch64__)
  if (isa == Isa::neon) return linear_form_neon(few);
#endif
  (void)isa;
  (void)dtype;
  return linear_form_portable(few);
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void linear(const fp_linear_args &args, ThreadPool &pool, Isa isa) {
  const LinearForm &form = choose_form(isa, args.dtype, args.num_rows);
  const int64_t k = args.in_dim, element_bytes = args.dtype == FP_F32 ? 4 : 2, out_bytes = args.out_dtype == FP_F32 ? 4 : 2;
  const int64_t block_bytes = static_cast<int64_t>(form.block_bytes(args.dtype, k));
  const int64_t num_blocks = divide_up(args.num_rows, form.block_tokens);

  // Of the stream's thread; the pool's threads read it.
  thread_local ScratchMemory packed_memory, bias_memory;
  char *packed = packed_memory.get<char>(static_cast<size_t>(num_blocks * block_bytes));
  const int64_t x_stride = static_cast<int64_t>(args.x_row_stride);
  const auto pack = [&](int64_t block) {
    const int64_t first = block * form.block_tokens, left = args.num_rows - first;
    form.pack(args.dtype, at<const char>(args.x) + first * x_stride * element_bytes, x_stride, static_cast<int>(left < form.block_tokens ? left : form.block_tokens), k, packed + block * block_bytes);
  };
  // Waking the others pays from some hundred thousand bytes on.
  constexpr int64_t min_parallel_bytes = 1 << 18;
  if (num_blocks * block_bytes < min_parallel_bytes) {
    for (int64_t block = 0; block < num_blocks; block++) pack(block);
  } else {
    pool.run(static_cast<int>(num_blocks), [&](int block, int) { pack(block); });
  }

  float *bias = nullptr;
  if (args.bias != 0) {
    bias = bias_memory.get<float>(static_cast<size_t>(args.out_dim));
    load_floats(args.dtype, at<const void>(args.bias), 0, args.out_dim, bias);
  }

  // A task is a group of token blocks, small enough to stay in a core's second-level cache, times a run of outputs, all of whose weights
  // meet the group before the next are read.
  constexpr int64_t max_group_bytes = 384 * 1024, max_task_bytes = 256 * 1024;
  int64_t group_blocks = max_group_bytes / block_bytes;
  group_blocks = group_blocks < 12 ? 6 : group_blocks / 12 * 12;  // forms take 2, 3 or 4 blocks at once
  if (group_blocks > num_blocks) group_blocks = num_blocks;
  const int64_t num_groups = divide_up(num_blocks, group_blocks);
  const int64_t steps = divide_up(args.out_dim, form.step_outputs);
  const int64_t threads = pool.num_threads();
  // Enough tasks that a thread which the system interrupts is evened out by the others, none longer than is useful for that.
  int64_t runs = divide_up(args.out_dim * k * element_bytes, max_task_bytes);
  const int64_t min_runs = divide_up(4 * threads, num_groups);
  if (runs < min_runs) runs = min_runs;
  if (runs > steps) runs = steps;
  const int64_t scratch_bytes = static_cast<int64_t>(form.scratch_bytes(args.dtype, k));

  pool.run(static_cast<int>(runs * num_groups), [&](int index, int) {
    thread_local ScratchMemory task_memory;
    const int64_t group = index / runs, run = index % runs;
    const int64_t first_token = group * group_blocks * form.block_tokens, end_token = first_token + group_blocks * form.block_tokens;
    const int64_t first = steps * run / runs * form.step_outputs, end = steps * (run + 1) / runs * form.step_outputs;
    LinearTask task = {};
    task.dtype = args.dtype;
    task.out_dtype = args.out_dtype;
    task.k = k;
    task.num_tokens = static_cast<int>((end_token < args.num_rows ? end_token : args.num_rows) - first_token);
    task.packed = packed + group * group_blocks * block_bytes;
    task.w = at<const char>(args.weight) + first * k * element_bytes;
    task.num_outputs = static_cast<int>((end < args.out_dim ? end : args.out_dim) - first);
    task.bias = bias == nullptr ? nullptr : bias + first;
    task.out_stride = static_cast<int64_t>(args.out_row_stride);
    task.out = at<char>(args.out) + (first_token * task.out_stride + first) * out_bytes;
    task.scratch = task_memory.get<char>(static_cast<size_t>(scratch_bytes));
    form.multiply(task);
  });
}

}  // namespace fp::cpu

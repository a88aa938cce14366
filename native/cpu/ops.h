// ops.h: the CPU's operations, called from a stream's thread in order. Each splits its work over the pool and returns when done.
#pragma once
#include "../flashpage.h"

namespace fp::cpu {

enum class Isa { scalar = 1, avx2 = 2, avx512 = 3, amx = 4, neon = 10 };  // avx512 includes AVX512-BF16; values as compute_capability

// Fixed worker threads; the caller's thread takes part. thread_pool.cc
class ThreadPool {
 public:
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  int num_threads() const;
  // Calls task(index, worker) for every index in 0..count, worker in 0..num_threads; returns when all are done.
  // Exceptions of a task are rethrown here. Not reentrant.
  template <typename Task>
  void run(int count, const Task &task) {
    run(count, &task, [](const void *of, int index, int worker) { (*static_cast<const Task *>(of))(index, worker); });
  }
  // Says that no job is expected soon: workers sleep instead of spinning.
  void rest();

 private:
  using Call = void (*)(const void *task, int index, int worker);
  void run(int count, const void *task, Call call);

  struct State;
  State *state_;
};

// What the machine can do and the user allows (FLASHPAGE_CPU_ISA=scalar|avx2|avx512|amx lowers it, for tests). isa.cc
Isa detect_isa();

// attention.cc and its per-ISA files
void attention(const fp_attention_args &args, ThreadPool &pool, Isa isa);
void merge_states(const fp_merge_states_args &args, ThreadPool &pool, Isa isa);
// plan.cc
void plan_decode(const fp_plan_decode_args &args, ThreadPool &pool, Isa isa);
// kv_cache.cc
void kv_append(const fp_kv_append_args &args, ThreadPool &pool, Isa isa);
void kv_copy_pages(const fp_kv_copy_pages_args &args, ThreadPool &pool, Isa isa);
// model_ops.cc
void rms_norm(const fp_rms_norm_args &args, ThreadPool &pool, Isa isa);
void rope(const fp_rope_args &args, ThreadPool &pool, Isa isa);
void silu_and_mul(const fp_silu_and_mul_args &args, ThreadPool &pool, Isa isa);
void embedding(const fp_embedding_args &args, ThreadPool &pool, Isa isa);
// linear.cc
void linear(const fp_linear_args &args, ThreadPool &pool, Isa isa);
// sampling.cc
void argmax(const fp_argmax_args &args, ThreadPool &pool, Isa isa);
void sample(const fp_sample_args &args, ThreadPool &pool, Isa isa);

}  // namespace fp::cpu

// stream.h: the CPU's streams, events and graphs. A stream is a queue with a thread of its own, so enqueueing returns at once.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../host/backend.h"
#include "../host/error.h"
#include "ops.h"

namespace fp::cpu {

using Work = std::function<void()>;

// What all streams of a device share. The pool runs one job at a time, so streams take turns for each operation.
struct Workers {
  explicit Workers(int num_threads) : pool(num_threads) {}
  std::mutex turn;
  ThreadPool pool;
};

// One record of an event. Its state outlives the event object while a queue still holds it. Who waits for an event waits for the record that was its last
// then, not for later ones.
struct Mark {
  std::mutex mutex;
  std::condition_variable changed;
  bool reached = false;
  std::exception_ptr failure;  // of the stream, when it was reached
  std::chrono::steady_clock::time_point time{};
};

class CpuEvent final : public Event {
 public:
  bool ready() override;
  std::shared_ptr<Mark> mark;  // of the last record; null before the first
};

class CpuGraph final : public Graph {
 public:
  std::vector<Work> work;
};

class CpuStream final : public Stream {
 public:
  CpuStream(std::shared_ptr<Workers> workers, Isa isa);
  ~CpuStream() override;

  bool idle() override;
  void synchronize() override;
  void wait(Event &event) override;
  void record(Event &event) override;

  void upload(void *target, const void *source, size_t num_bytes) override;
  void copy(void *target, const void *source, size_t num_bytes) override;
  void fill(void *target, int byte_value, size_t num_bytes) override;
  std::unique_ptr<Download> download(const void *source, size_t num_bytes) override;

  void begin_capture() override;
  bool capturing() override { return capture_ != nullptr; }
  std::unique_ptr<Graph> end_capture() override;
  void launch(Graph &graph) override;

  void attention(const fp_attention_args &args) override { enqueue_op(cpu::attention, args); }
  void merge_states(const fp_merge_states_args &args) override { enqueue_op(cpu::merge_states, args); }
  void plan_decode(const fp_plan_decode_args &args) override { enqueue_op(cpu::plan_decode, args); }
  void kv_append(const fp_kv_append_args &args) override { enqueue_op(cpu::kv_append, args); }
  void kv_copy_pages(const fp_kv_copy_pages_args &args) override { enqueue_op(cpu::kv_copy_pages, args); }
  void rms_norm(const fp_rms_norm_args &args) override { enqueue_op(cpu::rms_norm, args); }
  void rope(const fp_rope_args &args) override { enqueue_op(cpu::rope, args); }
  void silu_and_mul(const fp_silu_and_mul_args &args) override { enqueue_op(cpu::silu_and_mul, args); }
  void embedding(const fp_embedding_args &args) override { enqueue_op(cpu::embedding, args); }
  void linear(const fp_linear_args &args) override { enqueue_op(cpu::linear, args); }
  void argmax(const fp_argmax_args &args) override { enqueue_op(cpu::argmax, args); }
  void sample(const fp_sample_args &args) override { enqueue_op(cpu::sample, args); }

 private:
  template <typename Args>
  void enqueue_op(void (*op)(const Args &, ThreadPool &, Isa), const Args &args) {
    enqueue([workers = workers_, isa = isa_, op, args] {
      std::lock_guard lock(workers->turn);
      op(args, workers->pool, isa);
    });
  }
  void enqueue(Work work);
  void throw_failure_locked();
  std::exception_ptr take_failure();
  std::exception_ptr failure();
  void serve();

  const std::shared_ptr<Workers> workers_;
  const Isa isa_;
  std::unique_ptr<CpuGraph> capture_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool busy_ = false;
  bool ending_ = false;
  std::exception_ptr failure_;  // of the first work that failed; the queue goes on behind it
  std::thread thread_;
};

}  // namespace fp::cpu

#pragma once
#include <memory>

#include "cuda.h"
#include "graph.h"
#include "launch_branch.h"
#include "memory.h"
#include "staging.h"

namespace fp::cuda {

class CudaStream : public Stream {
 public:
  explicit CudaStream(CudaDevice &device);
  ~CudaStream() override;

  bool idle() override;
  void synchronize() override;
  void wait(Event &event) override;
  void record(Event &event) override;

  void upload(void *target, const void *source, size_t num_bytes) override;
  void copy(void *target, const void *source, size_t num_bytes) override;
  void fill(void *target, int byte_value, size_t num_bytes) override;
  std::unique_ptr<Download> download(const void *source, size_t num_bytes) override;

  void begin_capture() override;
  bool capturing() override { return captured_scratch_ != nullptr; }
  std::unique_ptr<Graph> end_capture() override;
  void launch(Graph &graph) override;

  void attention(const fp_attention_args &args) override;
  void merge_states(const fp_merge_states_args &args) override;
  void plan_decode(const fp_plan_decode_args &args) override;
  void kv_append(const fp_kv_append_args &args) override;
  void kv_copy_pages(const fp_kv_copy_pages_args &args) override;
  void rms_norm(const fp_rms_norm_args &args) override;
  void rope(const fp_rope_args &args) override;
  void silu_and_mul(const fp_silu_and_mul_args &args) override;
  void embedding(const fp_embedding_args &args) override;
  void linear(const fp_linear_args &args) override;
  void argmax(const fp_argmax_args &args) override;
  void sample(const fp_sample_args &args) override;

 private:
  // Makes the device current too.
  Launch launch();

  CudaDevice &device_;
  const CUstream stream_;
  Uploads uploads_;
  Scratch scratch_;
  LaunchBranch branch_;
  std::unique_ptr<Scratch> captured_scratch_;  // of the capture under way
};

}  // namespace fp::cuda

// backend.h: what a backend (CUDA, CPU) implements. host/abi.cc owns the handles and calls check, then this.
//
// Rules for implementers
//   - Arguments were checked by host/check_*.cc: shapes are sane, ranges lie in live allocations.
//   - Failures are thrown as fp::Error (host/error.h), never returned, never left to terminate.
//   - Operations enqueue and return. Nothing here blocks except where a comment says so.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "../flashpage.h"

namespace fp {

class Event {
 public:
  virtual ~Event() = default;
  virtual bool ready() = 0;  // all work recorded has ended; throws if it failed
};

class Graph {
 public:
  virtual ~Graph() = default;
};

// A copy to host memory under way.
class Download {
 public:
  virtual ~Download() = default;
  virtual bool ready() = 0;
  virtual const void *data() = 0;  // valid once ready
};

class Stream {
 public:
  virtual ~Stream() = default;  // blocks until its work has ended

  virtual bool idle() = 0;  // throws the error of work that failed
  virtual void synchronize() = 0;  // blocks
  virtual void wait(Event &event) = 0;
  virtual void record(Event &event) = 0;

  virtual void upload(void *target, const void *source, size_t num_bytes) = 0;  // takes the bytes at once
  virtual void copy(void *target, const void *source, size_t num_bytes) = 0;
  virtual void fill(void *target, int byte_value, size_t num_bytes) = 0;
  virtual std::unique_ptr<Download> download(const void *source, size_t num_bytes) = 0;

  virtual void begin_capture() = 0;
  virtual bool capturing() = 0;
  virtual std::unique_ptr<Graph> end_capture() = 0;
  virtual void launch(Graph &graph) = 0;

  virtual void attention(const fp_attention_args &args) = 0;
  virtual void merge_states(const fp_merge_states_args &args) = 0;
  virtual void plan_decode(const fp_plan_decode_args &args) = 0;
  virtual void kv_append(const fp_kv_append_args &args) = 0;
  virtual void kv_copy_pages(const fp_kv_copy_pages_args &args) = 0;
  virtual void rms_norm(const fp_rms_norm_args &args) = 0;
  virtual void rope(const fp_rope_args &args) = 0;
  virtual void silu_and_mul(const fp_silu_and_mul_args &args) = 0;
  virtual void embedding(const fp_embedding_args &args) = 0;
  virtual void linear(const fp_linear_args &args) = 0;
  virtual void argmax(const fp_argmax_args &args) = 0;
  virtual void sample(const fp_sample_args &args) = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual fp_device_info info() = 0;
  virtual const std::string &name() = 0;
  virtual void *allocate(size_t num_bytes) = 0;  // 256-byte aligned; throws FP_OUT_OF_MEMORY
  virtual void deallocate(void *address) = 0;    // called only once nothing uses it; may block briefly
  // Throws FP_INVALID_ARGUMENT unless the device can use that memory, which someone else allocated. This one: host memory.
  virtual void check_foreign(const void *address, size_t num_bytes);  // host/foreign_memory.cc
  virtual std::unique_ptr<Stream> create_stream() = 0;
  virtual std::unique_ptr<Event> create_event() = 0;
  virtual double elapsed_milliseconds(Event &start, Event &end) = 0;
  // Fills all but struct_size; throws FP_NOT_SUPPORTED naming what is supported.
  virtual void attention_limits(int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits) = 0;
};

std::unique_ptr<Device> open_cpu_device(int num_threads);   // native/cpu/device.cc
std::unique_ptr<Device> open_cuda_device(int ordinal);      // native/cuda/launch/device.cc; a stub that throws FP_UNAVAILABLE on platforms without CUDA

// An f64 address as a pointer.
template <typename T = void>
inline T *at(fp_address address) {
  return reinterpret_cast<T *>(static_cast<uintptr_t>(address));
}

}  // namespace fp

// device.h: a CUDA device as the files of this folder share it. Kernel families see only cuda.h.
//
// host/ holds the device's mutex during each call, so nothing here locks. Any thread may be the caller: what enters here
// makes the device's context current first.
#pragma once
#include <memory>
#include <string>

#include "cuda.h"
#include "linear_library.h"
#include "module.h"
#include "staging.h"

namespace fp::cuda {

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int ordinal);
  ~CudaDevice() override;

  fp_device_info info() override;
  const std::string &name() override { return name_; }
  void *allocate(size_t num_bytes) override;
  void deallocate(void *address) override;
  void check_foreign(const void *address, size_t num_bytes) override;
  std::unique_ptr<Stream> create_stream() override;
  std::unique_ptr<Event> create_event() override;
  double elapsed_milliseconds(Event &start, Event &end) override;
  void attention_limits(int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits) override;

  void make_current() const;

  CUcontext context() const { return context_; }
  int num_sms() const { return num_sms_; }
  int max_shared_bytes() const { return max_shared_bytes_; }
  int kernel_capability() const { return kernel_capability_; }
  int image_arch() const { return modules_->image_arch(); }
  Modules &modules() { return *modules_; }
  Staging &staging() { return *staging_; }
  LinearLibrary &linear_library() { return *linear_library_; }

 private:
  void close_context() noexcept;

  const int ordinal_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  CUstream memory_stream_ = nullptr;  // orders the pool's allocations; no kernel runs on it
  bool has_pool_ = false;
  std::string name_;
  int num_sms_ = 0;
  int max_shared_bytes_ = 0;
  int capability_ = 0;         // of the GPU
  int kernel_capability_ = 0;  // what kernels are chosen for
  int l2_bytes_ = 0;
  std::unique_ptr<Modules> modules_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<LinearLibrary> linear_library_;
};

}  // namespace fp::cuda

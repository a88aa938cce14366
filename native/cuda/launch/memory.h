// memory.h: device memory that launches of one stream reuse, such as the workspace of a matrix product.
#pragma once
#include <cstddef>
#include <vector>

namespace fp::cuda {

class CudaDevice;

// Grows by new blocks and keeps the old ones: kernels enqueued earlier may still use them. Each block is twice the last at
// least, so all of them together are less than twice the largest.
class Scratch {
 public:
  explicit Scratch(CudaDevice &device) : device_(device) {}
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  void *reserve(size_t num_bytes);

 private:
  CudaDevice &device_;
  std::vector<void *> blocks_;
  size_t num_bytes_ = 0;  // of the last block
};

}  // namespace fp::cuda

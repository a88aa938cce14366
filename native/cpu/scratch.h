// scratch.h: memory that grows and is kept from call to call, one for each thread that declares it thread_local. For baseline files.
#pragma once
#include <cstddef>
#include <cstdlib>

#include "../host/error.h"

namespace fp::cpu {

class ScratchMemory {
 public:
  ScratchMemory() = default;
  ScratchMemory(const ScratchMemory &) = delete;
  ~ScratchMemory() { free(memory_); }

  // At least so many bytes, aligned to 64. What was in it may be gone.
  template <typename T>
  T *get(size_t count) {
    const size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
    if (bytes > capacity_) {
      free(memory_);
      capacity_ = 0;
      memory_ = aligned_alloc(64, bytes);
      if (memory_ == nullptr) fail(FP_OUT_OF_MEMORY, "%zu bytes are wanted for scratch memory.", bytes);
      capacity_ = bytes;
    }
    return static_cast<T *>(memory_);
  }

 private:
  void *memory_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace fp::cpu

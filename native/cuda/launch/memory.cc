#include "memory.h"

#include <algorithm>

#include "device.h"

namespace fp::cuda {

Scratch::~Scratch() {
  for (void *block : blocks_) {
    try {
      device_.deallocate(block);
    } catch (...) {
      // Only a context that has failed refuses; its memory goes with it.
    }
  }
}

void *Scratch::reserve(size_t num_bytes) {
  if (num_bytes > num_bytes_) {
    const size_t grown = std::max(num_bytes, num_bytes_ * 2);
    blocks_.reserve(blocks_.size() + 1);
    blocks_.push_back(device_.allocate(grown));
    num_bytes_ = grown;
  }
  return blocks_.empty() ? nullptr : blocks_.back();
}

void *scratch_memory(const Launch &launch, size_t num_bytes) { return launch.scratch.reserve(num_bytes); }

}  // namespace fp::cuda

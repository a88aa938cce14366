#include "memory_registry.h"

#include <algorithm>

namespace fp {
namespace {
constexpr size_t npos = static_cast<size_t>(-1);
}

size_t MemoryRegistry::owned_index(uintptr_t address) const {
  const auto above = std::upper_bound(begins_.begin(), begins_.end(), address);
  return above == begins_.begin() ? npos : static_cast<size_t>(above - begins_.begin() - 1);
}

void MemoryRegistry::add_owned(std::shared_ptr<MemoryBlock> block) {
  begins_.reserve(begins_.size() + 1);  // so that the two vectors change together or not at all
  const uintptr_t begin = block->begin;
  const size_t position = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), begin) - begins_.begin());
  owned_.insert(owned_.begin() + position, std::move(block));
  begins_.insert(begins_.begin() + position, begin);
}

std::shared_ptr<MemoryBlock> MemoryRegistry::remove_owned(uintptr_t begin) {
  const size_t index = owned_index(begin);
  if (index == npos || begins_[index] != begin) return nullptr;
  std::shared_ptr<MemoryBlock> block = std::move(owned_[index]);
  owned_.erase(owned_.begin() + index);
  begins_.erase(begins_.begin() + index);
  return block;
}

void MemoryRegistry::add_foreign(uintptr_t begin, size_t num_bytes) {
  for (const auto &block : foreign_) {
    if (block->begin == begin) {
      block->num_bytes = std::max(block->num_bytes, num_bytes);
      ++block->registrations;
      return;
    }
  }
  auto block = std::make_shared<MemoryBlock>();
  block->begin = begin;
  block->num_bytes = num_bytes;
  block->foreign = true;
  block->registrations = 1;
  foreign_.push_back(std::move(block));
}

bool MemoryRegistry::remove_foreign(uintptr_t begin) {
  for (size_t i = 0; i < foreign_.size(); ++i) {
    if (foreign_[i]->begin != begin) continue;
    if (--foreign_[i]->registrations == 0) {
      foreign_[i]->live = false;
      foreign_.erase(foreign_.begin() + i);
    }
    return true;
  }
  return false;
}

const std::shared_ptr<MemoryBlock> *MemoryRegistry::find(uintptr_t begin, size_t num_bytes) const {
  const size_t index = owned_index(begin);
  if (index != npos && owned_[index]->contains(begin, num_bytes)) return &owned_[index];
  for (const auto &block : foreign_) {
    if (block->contains(begin, num_bytes)) return &block;
  }
  return nullptr;
}

const MemoryBlock *MemoryRegistry::around(uintptr_t address) const {
  const auto *block = find(address, 1);
  return block ? block->get() : nullptr;
}

const MemoryBlock *MemoryRegistry::overlapping_owned(uintptr_t begin, size_t num_bytes) const {
  const size_t index = owned_index(begin + (num_bytes - 1));
  return index != npos && begin < owned_[index]->begin + owned_[index]->num_bytes ? owned_[index].get() : nullptr;
}

std::vector<std::shared_ptr<MemoryBlock>> MemoryRegistry::take_all_owned() {
  begins_.clear();
  return std::move(owned_);
}

}  // namespace fp

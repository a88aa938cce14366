// memory_registry.h: which addresses operations of a device may touch.
//
// Owned blocks come from fp_memory_alloc and never overlap. Foreign blocks were declared by fp_memory_register; they may
// overlap, for several tensors may view one buffer of its owner. The caller holds the device's mutex.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fp {

struct MemoryBlock {
  uintptr_t begin = 0;
  size_t num_bytes = 0;
  bool foreign = false;
  bool live = true;       // not yet freed or unregistered by its user
  int registrations = 0;  // foreign: how many times this address was declared
  int graphs = 0;         // graphs, and captures under way, whose operations touch it

  bool contains(uintptr_t address, size_t length) const {
    return address >= begin && length <= num_bytes && address - begin <= num_bytes - length;
  }
};

class MemoryRegistry {
 public:
  void add_owned(std::shared_ptr<MemoryBlock> block);
  // Null if no live owned block begins there.
  std::shared_ptr<MemoryBlock> remove_owned(uintptr_t begin);

  void add_foreign(uintptr_t begin, size_t num_bytes);
  // False if nothing is declared there. The last declaration of an address ends it.
  bool remove_foreign(uintptr_t begin);

  // The live block that holds all of the range, or null.
  const std::shared_ptr<MemoryBlock> *find(uintptr_t begin, size_t num_bytes) const;
  // The live block that holds that byte, or null: for error texts.
  const MemoryBlock *around(uintptr_t address) const;
  // An owned block that shares a byte with the range, or null.
  const MemoryBlock *overlapping_owned(uintptr_t begin, size_t num_bytes) const;

  size_t num_owned() const { return owned_.size(); }
  std::vector<std::shared_ptr<MemoryBlock>> take_all_owned();

 private:
  size_t owned_index(uintptr_t address) const;  // of the last owned block that begins at or below it; npos if none

  // begins_[i] is owned_[i]->begin, ascending: a search stays in few cache lines.
  std::vector<uintptr_t> begins_;
  std::vector<std::shared_ptr<MemoryBlock>> owned_;
  std::vector<std::shared_ptr<MemoryBlock>> foreign_;
};

}  // namespace fp

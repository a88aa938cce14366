// handles.h: the numbers JavaScript holds for native objects.
//
// A handle is slot + 2^20 * generation, below 2^53. The generation rises each time a slot is given out, so a handle that
// outlived its object is recognised. Slots are reused oldest first.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "../flashpage.h"

namespace fp {

enum class Kind { device, stream, event, graph, download };

class Object {
 public:
  explicit Object(Kind kind) : kind(kind) {}
  virtual ~Object() = default;
  Object(const Object &) = delete;
  Object &operator=(const Object &) = delete;

  const Kind kind;
};

class HandleTable {
 public:
  fp_handle insert(std::shared_ptr<Object> object);

  // Both throw FP_INVALID_HANDLE for a handle that is stale, of another kind, or was never given out.
  std::shared_ptr<Object> find(fp_handle handle, Kind kind);
  std::shared_ptr<Object> remove(fp_handle handle, Kind kind);

  // Ends every handle whose object the predicate names, and returns those objects.
  template <typename Predicate>
  std::vector<std::shared_ptr<Object>> remove_if(Predicate &&predicate) {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Object>> removed;
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].object && predicate(*slots_[slot].object)) {
        removed.push_back(std::move(slots_[slot].object));
        free_slots_.push_back(slot);
      }
    }
    return removed;
  }

 private:
  struct Slot {
    std::shared_ptr<Object> object;
    uint64_t generation = 0;
  };

  Slot &locate(fp_handle handle, Kind kind);

  std::mutex mutex_;
  std::vector<Slot> slots_;
  std::deque<uint32_t> free_slots_;
};

// The process's only table. Never destroyed: threads may still run while the process exits.
HandleTable &handles();

}  // namespace fp

#include "handles.h"

#include "error.h"

namespace fp {
namespace {

constexpr int slot_bits = 20;
constexpr uint32_t max_slots = 1u << slot_bits;
constexpr double handle_limit = 9007199254740992.0;  // 2^53

const char *name_of(Kind kind) {
  switch (kind) {
    case Kind::device:
      return "device";
    case Kind::stream:
      return "stream";
    case Kind::event:
      return "event";
    case Kind::graph:
      return "graph";
    case Kind::download:
      return "download";
  }
  return "object";
}

}  // namespace

HandleTable &handles() {
  static HandleTable &table = *new HandleTable;
  return table;
}

fp_handle HandleTable::insert(std::shared_ptr<Object> object) {
  std::lock_guard lock(mutex_);
  uint32_t slot;
  if (!free_slots_.empty()) {
    slot = free_slots_.front();
    free_slots_.pop_front();
  } else {
    if (slots_.size() == max_slots) {
      fail(FP_OUT_OF_MEMORY, "%u handles are alive, which is the limit. Dispose streams, events, graphs and downloads that are no longer used.",
           max_slots);
    }
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  Slot &entry = slots_[slot];
  ++entry.generation;
  entry.object = std::move(object);
  return static_cast<fp_handle>(slot + (entry.generation << slot_bits));
}

HandleTable::Slot &HandleTable::locate(fp_handle handle, Kind kind) {
  if (!(handle >= 1 && handle < handle_limit)) {
    fail(FP_INVALID_HANDLE, "%.17g is not a handle of a %s.", handle, name_of(kind));
  }
  const uint64_t bits = static_cast<uint64_t>(handle);
  const uint32_t slot = bits & (max_slots - 1);
  const uint64_t generation = bits >> slot_bits;
  if (static_cast<double>(bits) != handle || slot >= slots_.size() || generation == 0 || generation > slots_[slot].generation) {
    fail(FP_INVALID_HANDLE, "%.17g is not a handle that this library gave out for a %s.", handle, name_of(kind));
  }
  Slot &entry = slots_[slot];
  if (generation != entry.generation || !entry.object) {
    fail(FP_INVALID_HANDLE, "the %s (handle %.17g) has been disposed, or its device has been closed.", name_of(kind), handle);
  }
  if (entry.object->kind != kind) {
    fail(FP_INVALID_HANDLE, "handle %.17g is a %s, where a %s is needed.", handle, name_of(entry.object->kind), name_of(kind));
  }
  return entry;
}

std::shared_ptr<Object> HandleTable::find(fp_handle handle, Kind kind) {
  std::lock_guard lock(mutex_);
  return locate(handle, kind).object;
}

std::shared_ptr<Object> HandleTable::remove(fp_handle handle, Kind kind) {
  std::lock_guard lock(mutex_);
  Slot &entry = locate(handle, kind);
  std::shared_ptr<Object> object = std::move(entry.object);
  free_slots_.push_back(static_cast<uint32_t>(&entry - slots_.data()));
  return object;
}

}  // namespace fp

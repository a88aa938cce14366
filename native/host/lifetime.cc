// lifetime.cc: marks of streams, retired memory, and the end of a device. See objects.h.
#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include "objects.h"

namespace fp {

bool StreamObject::mark() {
  poll();
  if (finished()) return false;
  // Nothing is enqueued during a capture, and begin_capture marked what was enqueued before.
  if (capturing || (!marks_.empty() && marks_.back().sequence == enqueued)) return true;
  try {
    std::unique_ptr<Event> event;
    if (device->spare_marks.empty()) {
      event = device->backend->create_event();
    } else {
      event = std::move(device->spare_marks.back());
      device->spare_marks.pop_back();
    }
    backend->record(*event);
    marks_.push_back({enqueued, std::move(event)});
    return true;
  } catch (...) {
    // Without an event the only way to know that the work has ended is to wait for it.
    try {
      backend->synchronize();
    } catch (...) {
    }
    marks_.clear();
    completed = enqueued;
    return false;
  }
}

void StreamObject::poll() {
  while (!marks_.empty()) {
    bool ended;
    try {
      ended = marks_.front().event->ready();
    } catch (...) {
      ended = true;  // the work failed, so it no longer runs; its error is the stream's to report
    }
    if (!ended) return;
    completed = marks_.front().sequence;
    try {
      device->spare_marks.push_back(std::move(marks_.front().event));
    } catch (...) {
    }
    marks_.pop_front();
  }
}

DeviceObject::~DeviceObject() {
  if (!closed) close();
}

std::vector<Fence> DeviceObject::fences_now() {
  std::vector<Fence> fences;
  for (const auto &stream : streams) {
    if (stream->mark()) fences.push_back({stream, stream->enqueued});
  }
  return fences;
}

bool DeviceObject::passed(const Retired &retired) const {
  if (retired.block && retired.block->graphs > 0) return false;
  return std::all_of(retired.fences.begin(), retired.fences.end(),
                     [](const Fence &fence) { return fence.stream->completed >= fence.sequence; });
}

void DeviceObject::release(Retired &retired) noexcept {
  for (const auto &block : retired.touched) --block->graphs;
  retired.graph.reset();
  retired.event.reset();
  retired.download.reset();
  if (!retired.block) return;
  pending_bytes -= retired.block->num_bytes;
  try {
    backend->deallocate(reinterpret_cast<void *>(retired.block->begin));
  } catch (...) {
    // Only a device that has failed as a whole refuses; its memory goes with it.
  }
}

void DeviceObject::retire(Retired retired) {
  reap();
  retired.fences = fences_now();
  if (retired.block) pending_bytes += retired.block->num_bytes;
  if (passed(retired)) {
    release(retired);
  } else {
    retired_.push_back(std::move(retired));
  }
}

void DeviceObject::reap() noexcept {
  for (const auto &stream : streams) stream->poll();
  // Graphs first: memory that only they held can then go in the same pass.
  for (const bool graphs : {true, false}) {
    for (size_t i = 0; i < retired_.size();) {
      if ((retired_[i].graph != nullptr) == graphs && passed(retired_[i])) {
        release(retired_[i]);
        std::swap(retired_[i], retired_.back());
        retired_.pop_back();
      } else {
        ++i;
      }
    }
  }
  std::erase_if(streams, [](const auto &stream) {
    if (!stream->disposed || !stream->finished()) return false;
    stream->end();  // here, under the mutex: a caller that still holds the object lets go of it without
    return true;
  });
}

// Events, not synchronize(): the error of work that failed stays the stream's to report.
void DeviceObject::wait_for_fences() {
  for (const auto &retired : retired_) {
    for (const Fence &fence : retired.fences) {
      while (fence.stream->completed < fence.sequence) {
        fence.stream->poll();
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }
  reap();
}

uintptr_t DeviceObject::allocate(size_t num_bytes) {
  reap();
  void *address;
  try {
    address = backend->allocate(num_bytes);
  } catch (const Error &error) {
    if (error.status() != FP_OUT_OF_MEMORY || pending_bytes == 0) throw;
    // Memory that was freed but is still in use would do: worth waiting for.
    wait_for_fences();
    address = backend->allocate(num_bytes);
  }
  try {
    auto block = std::make_shared<MemoryBlock>();
    block->begin = reinterpret_cast<uintptr_t>(address);
    block->num_bytes = num_bytes;
    memory.add_owned(std::move(block));
  } catch (...) {
    backend->deallocate(address);
    throw;
  }
  allocated_bytes += num_bytes;
  peak_bytes = std::max(peak_bytes, allocated_bytes);
  return reinterpret_cast<uintptr_t>(address);
}

void DeviceObject::free(uintptr_t address) {
  std::shared_ptr<MemoryBlock> block = memory.remove_owned(address);
  if (!block) {
    const auto again = std::find_if(retired_.begin(), retired_.end(),
                                    [&](const Retired &retired) { return retired.block && retired.block->begin == address; });
    if (again != retired_.end()) fail(FP_INVALID_ARGUMENT, "the memory at 0x%zx has been freed already. Free each allocation once.", address);
    const MemoryBlock *around = memory.around(address);
    if (around && around->begin != address) {
      fail(FP_INVALID_ARGUMENT, "0x%zx lies inside the memory at 0x%zx (%zu bytes). Free the address that the allocation gave.", address,
           around->begin, around->num_bytes);
    }
    fail(FP_INVALID_ARGUMENT, "no allocation of this device begins at 0x%zx. It was freed already, or belongs to someone else.", address);
  }
  block->live = false;
  allocated_bytes -= block->num_bytes;
  Retired retired;
  retired.block = std::move(block);
  retire(std::move(retired));
}

void DeviceObject::synchronize() {
  for (const auto &stream : streams) {
    if (stream->capturing) fail(FP_INVALID_ARGUMENT, "a stream of the device captures a graph. End the capture first.");
  }
  std::exception_ptr failure;
  for (const auto &stream : streams) {
    try {
      stream->backend->synchronize();
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  reap();
  if (failure) std::rethrow_exception(failure);
}

void DeviceObject::end_capture_quietly(StreamObject &stream) noexcept {
  if (!stream.capturing) return;
  try {
    stream.backend->end_capture();
  } catch (...) {
  }
  stream.capturing = false;
  for (const auto &block : stream.captured) --block->graphs;
  stream.captured.clear();
}

void DeviceObject::close() noexcept {
  closed = true;
  for (const auto &stream : streams) {
    end_capture_quietly(*stream);
    try {
      stream->backend->synchronize();
    } catch (...) {
    }
  }
  // Handles end after the work, and before the device: their objects must not outlive it.
  const auto children = handles().remove_if([this](const Object &object) {
    switch (object.kind) {
      case Kind::device:
        return false;
      case Kind::stream:
        return static_cast<const StreamObject &>(object).device.get() == this;
      case Kind::event:
        return static_cast<const EventObject &>(object).device.get() == this;
      case Kind::graph:
        return static_cast<const GraphObject &>(object).device.get() == this;
      case Kind::download:
        return static_cast<const DownloadObject &>(object).device.get() == this;
    }
    return false;
  });
  for (const auto &child : children) {
    if (child->kind == Kind::event) static_cast<EventObject &>(*child).backend.reset();
    if (child->kind == Kind::graph) static_cast<GraphObject &>(*child).backend.reset();
    if (child->kind == Kind::download) static_cast<DownloadObject &>(*child).backend.reset();
  }
  for (auto &retired : retired_) release(retired);
  retired_.clear();
  for (const auto &stream : streams) stream->end();
  streams.clear();
  spare_marks.clear();
  for (const auto &block : memory.take_all_owned()) {
    try {
      backend->deallocate(reinterpret_cast<void *>(block->begin));
    } catch (...) {
    }
  }
  backend.reset();
}

}  // namespace fp

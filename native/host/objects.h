// objects.h: what handles stand for, and when the memory and objects that enqueued work still uses are given back.
//
// Every call on a device holds its mutex, so everything here is single-threaded for a device. A stream counts the
// operations enqueued on it; a mark is an event recorded behind such a count. What a user frees is retired: it is released
// once every stream has passed the count it had at that moment (and, for memory, no graph is left that touches it).
#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "backend.h"
#include "error.h"
#include "handles.h"
#include "memory_registry.h"

namespace fp {

struct DeviceObject;

using BlockSet = std::set<std::shared_ptr<MemoryBlock>>;

struct StreamObject : Object {
  StreamObject(std::shared_ptr<DeviceObject> device, std::unique_ptr<Stream> backend)
      : Object(Kind::stream), device(std::move(device)), backend(std::move(backend)) {}

  // Makes sure that the end of all work enqueued so far will be noticed. False: none of it is left.
  bool mark();
  // Notices work that has ended.
  void poll();
  bool finished() const { return completed == enqueued; }
  // Destroys the native stream and its events.
  void end() noexcept {
    marks_.clear();
    backend.reset();
  }

  const std::shared_ptr<DeviceObject> device;
  std::unique_ptr<Stream> backend;
  bool disposed = false;  // its handle is gone; kept until its work has ended
  bool capturing = false;
  BlockSet captured;  // what the capture under way touches

  uint64_t enqueued = 0;
  uint64_t completed = 0;

 private:
  struct Mark {
    uint64_t sequence;
    std::unique_ptr<Event> event;
  };
  std::deque<Mark> marks_;
};

struct EventObject : Object {
  EventObject(std::shared_ptr<DeviceObject> device, std::unique_ptr<Event> backend)
      : Object(Kind::event), device(std::move(device)), backend(std::move(backend)) {}

  const std::shared_ptr<DeviceObject> device;
  std::unique_ptr<Event> backend;
  bool recorded = false;
  bool disposed = false;
};

struct GraphObject : Object {
  GraphObject(std::shared_ptr<DeviceObject> device, std::unique_ptr<Graph> backend, BlockSet touched)
      : Object(Kind::graph), device(std::move(device)), backend(std::move(backend)), touched(std::move(touched)) {
    for (const auto &block : this->touched) {
      if (block->foreign) foreign.push_back(block.get());
    }
  }

  const std::shared_ptr<DeviceObject> device;
  std::unique_ptr<Graph> backend;
  BlockSet touched;
  std::vector<const MemoryBlock *> foreign;  // of touched: its owner may take it away
  bool disposed = false;
};

struct DownloadObject : Object {
  DownloadObject(std::shared_ptr<DeviceObject> device, std::unique_ptr<Download> backend, size_t num_bytes)
      : Object(Kind::download), device(std::move(device)), backend(std::move(backend)), num_bytes(num_bytes) {}

  const std::shared_ptr<DeviceObject> device;
  std::unique_ptr<Download> backend;  // null: nothing to copy
  const size_t num_bytes;
  bool disposed = false;
};

struct Fence {
  std::shared_ptr<StreamObject> stream;
  uint64_t sequence;
};

// Given up by the user. What it holds is released when all fences have passed.
struct Retired {
  std::vector<Fence> fences;
  std::shared_ptr<MemoryBlock> block;
  BlockSet touched;
  std::unique_ptr<Graph> graph;
  std::unique_ptr<Event> event;
  std::unique_ptr<Download> download;
};

struct DeviceObject : Object {
  DeviceObject(int device_kind, std::unique_ptr<Device> backend)
      : Object(Kind::device), device_kind(device_kind), backend(std::move(backend)) {}
  ~DeviceObject() override;

  uintptr_t allocate(size_t num_bytes);
  void free(uintptr_t address);
  void retire(Retired retired);
  // Releases what can be released; never blocks, never throws.
  void reap() noexcept;
  void synchronize();
  // Waits for all work, then ends every stream, event, graph, download and allocation.
  void close() noexcept;
  void end_capture_quietly(StreamObject &stream) noexcept;

  std::mutex mutex;
  const int device_kind;
  std::unique_ptr<Device> backend;
  bool closed = false;
  MemoryRegistry memory;
  std::vector<std::shared_ptr<StreamObject>> streams;  // those disposed but unfinished too
  std::vector<std::unique_ptr<Event>> spare_marks;

  size_t allocated_bytes = 0;
  size_t peak_bytes = 0;
  size_t pending_bytes = 0;

 private:
  std::vector<Fence> fences_now();
  bool passed(const Retired &retired) const;
  void release(Retired &retired) noexcept;
  void wait_for_fences();

  std::vector<Retired> retired_;
};

// An object found by its handle, with its device locked and open.
template <typename T>
struct Locked {
  std::shared_ptr<T> object;
  std::unique_lock<std::mutex> lock;  // after object: unlocked before the object can go
  T *operator->() const { return object.get(); }
  T &operator*() const { return *object; }
};

Locked<DeviceObject> lock_device(fp_handle handle);
Locked<StreamObject> lock_stream(fp_handle handle);
Locked<EventObject> lock_event(fp_handle handle);
Locked<GraphObject> lock_graph(fp_handle handle);
Locked<DownloadObject> lock_download(fp_handle handle);
// An event or graph that is used together with a stream: refuses one of another device. The device is locked already.
std::shared_ptr<EventObject> event_of(const DeviceObject &device, fp_handle handle);
std::shared_ptr<GraphObject> graph_of(const DeviceObject &device, fp_handle handle);

}  // namespace fp

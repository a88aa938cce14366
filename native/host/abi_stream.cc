#include "check.h"
#include "guard.h"
#include "objects.h"

using namespace fp;

namespace {

fp_handle *result(void *pointer, const char *name) {
  if (!pointer) fail(FP_INVALID_ARGUMENT, "%s, which receives the handle, is null.", name);
  return static_cast<fp_handle *>(pointer);
}

void refuse_capture(const StreamObject &stream) {
  if (stream.capturing) fail(FP_INVALID_ARGUMENT, "the stream captures a graph, and only operations can be captured. End the capture first.");
}

}  // namespace

FP_API fp_status fp_stream_create(fp_handle device, void *stream) {
  return guarded("create a stream", [&] {
    fp_handle *handle = result(stream, "stream");
    auto locked = lock_device(device);
    auto object = std::make_shared<StreamObject>(locked.object, locked->backend->create_stream());
    locked->streams.push_back(object);
    try {
      *handle = handles().insert(object);
    } catch (...) {
      locked->streams.pop_back();
      throw;
    }
    return FP_OK;
  });
}

// Does not wait: the native stream goes once its work has ended.
FP_API fp_status fp_stream_destroy(fp_handle stream) {
  return guarded("destroy the stream", [&] {
    auto locked = lock_stream(stream);
    handles().remove(stream, Kind::stream);
    DeviceObject &device = *locked->device;
    device.end_capture_quietly(*locked);
    locked->disposed = true;
    locked->mark();
    device.reap();
    return FP_OK;
  });
}

FP_API fp_status fp_stream_wait_event(fp_handle stream, fp_handle event) {
  return guarded("make the stream wait", [&] {
    auto locked = lock_stream(stream);
    auto awaited = event_of(*locked->device, event);
    refuse_capture(*locked);
    if (!awaited->recorded) return FP_OK;
    ++locked->enqueued;
    locked->backend->wait(*awaited->backend);
    return FP_OK;
  });
}

FP_API fp_status fp_stream_query(fp_handle stream) {
  return guarded("finish the stream's work", [&] {
    auto locked = lock_stream(stream);
    refuse_capture(*locked);
    return locked->backend->idle() ? FP_OK : FP_NOT_READY;
  });
}

FP_API fp_status fp_event_create(fp_handle device, void *event) {
  return guarded("create an event", [&] {
    fp_handle *handle = result(event, "event");
    auto locked = lock_device(device);
    *handle = handles().insert(std::make_shared<EventObject>(locked.object, locked->backend->create_event()));
    return FP_OK;
  });
}

FP_API fp_status fp_event_destroy(fp_handle event) {
  return guarded("destroy the event", [&] {
    auto locked = lock_event(event);
    handles().remove(event, Kind::event);
    locked->disposed = true;
    Retired retired;
    retired.event = std::move(locked->backend);
    if (locked->recorded) locked->device->retire(std::move(retired));  // streams may still wait for it
    return FP_OK;
  });
}

FP_API fp_status fp_event_record(fp_handle event, fp_handle stream) {
  return guarded("record the event", [&] {
    auto locked = lock_stream(stream);
    auto recorded = event_of(*locked->device, event);
    refuse_capture(*locked);
    ++locked->enqueued;
    locked->backend->record(*recorded->backend);
    recorded->recorded = true;
    return FP_OK;
  });
}

FP_API fp_status fp_event_query(fp_handle event) {
  return guarded("finish the work before the event", [&] {
    auto locked = lock_event(event);
    return !locked->recorded || locked->backend->ready() ? FP_OK : FP_NOT_READY;
  });
}

FP_API fp_status fp_event_elapsed(fp_handle start, fp_handle end, void *milliseconds) {
  return guarded("measure the time between events", [&] {
    if (!milliseconds) fail(FP_INVALID_ARGUMENT, "milliseconds, which receives the result, is null.");
    auto first = lock_event(start);
    auto last = event_of(*first->device, end);
    if (!first->recorded || !last->recorded) fail(FP_INVALID_ARGUMENT, "the %s event was never recorded.", first->recorded ? "end" : "start");
    if (!first->backend->ready() || !last->backend->ready()) {
      fail(FP_INVALID_ARGUMENT, "an event has not happened yet. Wait for the stream first.");
    }
    *static_cast<f64 *>(milliseconds) = first->device->backend->elapsed_milliseconds(*first->backend, *last->backend);
    return FP_OK;
  });
}

FP_API fp_status fp_graph_begin_capture(fp_handle stream) {
  return guarded("begin to capture a graph", [&] {
    auto locked = lock_stream(stream);
    if (locked->capturing) fail(FP_INVALID_ARGUMENT, "the stream captures a graph already.");
    locked->mark();
    locked->backend->begin_capture();
    locked->capturing = true;
    return FP_OK;
  });
}

FP_API fp_status fp_graph_end_capture(fp_handle stream, void *graph) {
  return guarded("end the capture of a graph", [&] {
    fp_handle *handle = result(graph, "graph");
    auto locked = lock_stream(stream);
    if (!locked->capturing) fail(FP_INVALID_ARGUMENT, "the stream captures no graph. Begin a capture first.");
    DeviceObject &device = *locked->device;
    std::unique_ptr<Graph> backend;
    BlockSet touched;
    try {
      backend = locked->backend->end_capture();
      touched = locked->captured;
      auto object = std::make_shared<GraphObject>(locked->device, std::move(backend), std::move(touched));
      *handle = handles().insert(object);
    } catch (...) {
      // The capture is over in any case.
      locked->capturing = false;
      for (const auto &block : locked->captured) --block->graphs;
      locked->captured.clear();
      device.reap();
      throw;
    }
    locked->capturing = false;
    locked->captured.clear();  // the graph holds them now
    return FP_OK;
  });
}

FP_API fp_status fp_graph_launch(fp_handle graph, fp_handle stream) {
  return guarded("launch the graph", [&] {
    auto locked = lock_stream(stream);
    auto launched = graph_of(*locked->device, graph);
    refuse_capture(*locked);
    for (const MemoryBlock *block : launched->foreign) {
      if (!block->live) {
        fail(FP_INVALID_ARGUMENT, "it uses foreign memory at 0x%zx (%zu bytes) that has been unregistered since. Capture it again.", block->begin,
             block->num_bytes);
      }
    }
    ++locked->enqueued;
    locked->backend->launch(*launched->backend);
    return FP_OK;
  });
}

FP_API fp_status fp_graph_destroy(fp_handle graph) {
  return guarded("destroy the graph", [&] {
    auto locked = lock_graph(graph);
    handles().remove(graph, Kind::graph);
    locked->disposed = true;
    Retired retired;
    retired.graph = std::move(locked->backend);
    retired.touched = std::move(locked->touched);
    locked->device->retire(std::move(retired));
    locked->device->reap();
    return FP_OK;
  });
}

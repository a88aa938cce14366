// streams.cc: streams, events and graphs.
#include <algorithm>
#include <chrono>
#include <memory>

#include "state.h"

namespace emulation {

Capture *capture_of(Stream &stream) {
  if (stream.capture && stream.capture->ended) {
    stream.capture.reset();
    stream.branch.reset();
  }
  return stream.capture.get();
}

CUresult enqueue(CUstream handle, Work work) {
  Stream *stream = find<Stream>(state().streams, handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  Capture *capture = capture_of(*stream);
  if (!capture) return work();
  capture->work.push_back(std::move(work));
  stream->branch->told++;
  return CUDA_SUCCESS;
}

namespace {

template <typename Object, typename Handle>
Handle add(std::set<void *> &known, Object *object) {
  known.insert(object);
  return reinterpret_cast<Handle>(object);
}

template <typename Object, typename Handle>
CUresult destroy(std::set<void *> &known, Handle handle) {
  if (known.erase(handle) == 0) return CUDA_ERROR_INVALID_HANDLE;
  delete reinterpret_cast<Object *>(handle);
  return CUDA_SUCCESS;
}

void add_branch(Stream &stream, const std::shared_ptr<Capture> &capture) {
  stream.capture = capture;
  stream.branch = capture->branches.emplace_back(std::make_shared<Branch>());
}

double now() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace
}  // namespace emulation

using namespace emulation;

namespace fp::cuda {
extern "C" {

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  FLASHPAGE_EMULATED_CALL();
  *stream = add<Stream, CUstream>(s.streams, new Stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  return destroy<Stream>(s.streams, stream);
}

CUresult cuStreamQuery(CUstream handle) {
  FLASHPAGE_EMULATED_CALL();
  Stream *stream = find<Stream>(s.streams, handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  return capture_of(*stream) ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUresult{CUDA_SUCCESS};
}

CUresult cuStreamSynchronize(CUstream stream) { return cuStreamQuery(stream); }

// Whatever was recorded is done, but in a capture: there a stream that waits becomes a branch, or joins one.
CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned) {
  FLASHPAGE_EMULATED_CALL();
  Stream *stream = find<Stream>(s.streams, handle);
  const Event *event = find<Event>(s.events, event_handle);
  if (!stream || !event) return CUDA_ERROR_INVALID_HANDLE;
  Capture *capture = capture_of(*stream);
  if (!event->capture) return capture && event->recorded ? CUDA_ERROR_STREAM_CAPTURE_ISOLATION : CUresult{CUDA_SUCCESS};
  if (event->capture->ended) return CUDA_ERROR_CAPTURED_EVENT;
  if (!capture) {
    add_branch(*stream, event->capture);
    return CUDA_SUCCESS;
  }
  if (capture != event->capture.get()) return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  if (stream->branch == capture->branches[0]) event->branch->joined = std::max(event->branch->joined, event->told);
  return CUDA_SUCCESS;
}

CUresult cuStreamBeginCapture_v2(CUstream handle, int) {
  FLASHPAGE_EMULATED_CALL();
  Stream *stream = find<Stream>(s.streams, handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  if (capture_of(*stream)) return CUDA_ERROR_ILLEGAL_STATE;
  add_branch(*stream, std::make_shared<Capture>());
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
  FLASHPAGE_EMULATED_CALL();
  Stream *stream = find<Stream>(s.streams, handle);
  if (!stream) return CUDA_ERROR_INVALID_HANDLE;
  Capture *capture = capture_of(*stream);
  if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
  if (stream->branch != capture->branches[0]) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  capture->ended = true;
  *graph = nullptr;
  for (size_t i = 1; i < capture->branches.size(); i++) {
    if (capture->branches[i]->joined < capture->branches[i]->told) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  }
  *graph = add<Graph, CUgraph>(s.graphs, new Graph{std::move(capture->work)});
  return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned) {
  FLASHPAGE_EMULATED_CALL();
  *event = add<Event, CUevent>(s.events, new Event);
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
  FLASHPAGE_EMULATED_CALL();
  return destroy<Event>(s.events, event);
}

CUresult cuEventRecord(CUevent handle, CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  Event *event = find<Event>(s.events, handle);
  Stream *recording = find<Stream>(s.streams, stream);
  if (!event || !recording) return CUDA_ERROR_INVALID_HANDLE;
  const bool captures = capture_of(*recording) != nullptr;
  event->capture = recording->capture;
  event->branch = recording->branch;
  event->told = captures ? recording->branch->told : 0;
  event->recorded = !captures;
  event->milliseconds = now();
  return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent event) {
  FLASHPAGE_EMULATED_CALL();
  return find<Event>(s.events, event) ? CUresult{CUDA_SUCCESS} : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuEventSynchronize(CUevent event) { return cuEventQuery(event); }

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  FLASHPAGE_EMULATED_CALL();
  const Event *from = find<Event>(s.events, start), *to = find<Event>(s.events, end);
  if (!from || !to || !from->recorded || !to->recorded) return CUDA_ERROR_INVALID_HANDLE;
  *milliseconds = static_cast<float>(to->milliseconds - from->milliseconds);
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
  FLASHPAGE_EMULATED_CALL();
  const Graph *from = find<Graph>(s.graphs, graph);
  if (!from) return CUDA_ERROR_INVALID_HANDLE;
  *exec = add<Graph, CUgraphExec>(s.graphs, new Graph(*from));
  return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  const Graph *graph = find<Graph>(s.graphs, exec);
  if (!graph) return CUDA_ERROR_INVALID_HANDLE;
  for (const Work &work : graph->work) {
    if (const CUresult result = enqueue(stream, work)) return result;
  }
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  FLASHPAGE_EMULATED_CALL();
  return destroy<Graph>(s.graphs, graph);
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
  FLASHPAGE_EMULATED_CALL();
  return destroy<Graph>(s.graphs, exec);
}

}  // extern "C"
}  // namespace fp::cuda

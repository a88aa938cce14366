#include "stream.h"

#include "device.h"
#include "event.h"

namespace fp::cuda {

namespace {

CUstream create_stream() {
  CUstream stream = nullptr;
  FLASHPAGE_CUDA(driver().cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "creating a stream");
  return stream;
}

}  // namespace

CudaStream::CudaStream(CudaDevice &device) : device_(device), stream_(create_stream()), uploads_(device.staging(), stream_), scratch_(device), branch_(device) {}

CudaStream::~CudaStream() {
  const Driver &cu = driver();
  cu.cuCtxSetCurrent(device_.context());
  if (capturing()) {
    CUgraph unfinished = nullptr;
    cu.cuStreamEndCapture(stream_, &unfinished);
    if (unfinished) cu.cuGraphDestroy(unfinished);
  }
  cu.cuStreamSynchronize(stream_);
  uploads_.finish();
  cu.cuStreamDestroy_v2(stream_);
}

bool CudaStream::idle() {
  device_.make_current();
  const CUresult result = driver().cuStreamQuery(stream_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  FLASHPAGE_CUDA(result, "work on the stream failed");
  return true;
}

void CudaStream::synchronize() {
  device_.make_current();
  FLASHPAGE_CUDA(driver().cuStreamSynchronize(stream_), "work on the stream failed");
}

void CudaStream::wait(Event &event) {
  device_.make_current();
  FLASHPAGE_CUDA(driver().cuStreamWaitEvent(stream_, static_cast<CudaEvent &>(event).event(), 0), "making a stream wait for an event");
}

void CudaStream::record(Event &event) {
  device_.make_current();
  FLASHPAGE_CUDA(driver().cuEventRecord(static_cast<CudaEvent &>(event).event(), stream_), "recording an event");
}

void CudaStream::upload(void *target, const void *source, size_t num_bytes) {
  device_.make_current();
  uploads_.upload(device_address(target), source, num_bytes);
}

void CudaStream::copy(void *target, const void *source, size_t num_bytes) {
  device_.make_current();
  FLASHPAGE_CUDA(driver().cuMemcpyDtoDAsync_v2(device_address(target), device_address(source), num_bytes, stream_), "copying %zu bytes", num_bytes);
}

void CudaStream::fill(void *target, int byte_value, size_t num_bytes) {
  device_.make_current();
  FLASHPAGE_CUDA(driver().cuMemsetD8Async(device_address(target), static_cast<unsigned char>(byte_value), num_bytes, stream_), "filling %zu bytes",
                 num_bytes);
}

std::unique_ptr<Download> CudaStream::download(const void *source, size_t num_bytes) {
  device_.make_current();
  return std::make_unique<CudaDownload>(device_, stream_, device_address(source), num_bytes);
}

// Relaxed: other streams and threads may allocate, load modules and wait while this one captures.
void CudaStream::begin_capture() {
  device_.make_current();
  auto scratch = std::make_unique<Scratch>(device_);
  FLASHPAGE_CUDA(driver().cuStreamBeginCapture_v2(stream_, CU_STREAM_CAPTURE_MODE_RELAXED), "beginning a capture");
  captured_scratch_ = std::move(scratch);
}

std::unique_ptr<Graph> CudaStream::end_capture() {
  device_.make_current();
  std::unique_ptr<Scratch> scratch = std::move(captured_scratch_);
  CUgraph captured = nullptr;
  FLASHPAGE_CUDA(driver().cuStreamEndCapture(stream_, &captured), "ending the capture");
  return std::make_unique<CudaGraph>(device_, captured, std::move(scratch));
}

void CudaStream::launch(Graph &graph) {
  device_.make_current();
  static_cast<CudaGraph &>(graph).launch(stream_);
}

Launch CudaStream::launch() {
  device_.make_current();
  return {device_, stream_, captured_scratch_ ? *captured_scratch_ : scratch_, branch_};
}

void CudaStream::attention(const fp_attention_args &args) { launch_attention(launch(), args); }
void CudaStream::merge_states(const fp_merge_states_args &args) { launch_merge_states(launch(), args); }
void CudaStream::plan_decode(const fp_plan_decode_args &args) { launch_plan_decode(launch(), args); }
void CudaStream::kv_append(const fp_kv_append_args &args) { launch_kv_append(launch(), args); }
void CudaStream::kv_copy_pages(const fp_kv_copy_pages_args &args) { launch_kv_copy_pages(launch(), args); }
void CudaStream::rms_norm(const fp_rms_norm_args &args) { launch_rms_norm(launch(), args); }
void CudaStream::rope(const fp_rope_args &args) { launch_rope(launch(), args); }
void CudaStream::silu_and_mul(const fp_silu_and_mul_args &args) { launch_silu_and_mul(launch(), args); }
void CudaStream::embedding(const fp_embedding_args &args) { launch_embedding(launch(), args); }
void CudaStream::linear(const fp_linear_args &args) { launch_linear(launch(), args); }
void CudaStream::argmax(const fp_argmax_args &args) { launch_argmax(launch(), args); }
void CudaStream::sample(const fp_sample_args &args) { launch_sample(launch(), args); }

}  // namespace fp::cuda

// staging.h: pinned host memory between JavaScript's buffers, which may move or be reused at once, and the GPU.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "../../host/backend.h"
#include "driver.h"

namespace fp::cuda {

class CudaDevice;

// One piece of pinned memory. Uploads take its bytes one after another; the event, recorded when it is full, tells when
// the GPU has read them all.
struct UploadChunk {
  std::byte *bytes = nullptr;
  CUevent read = nullptr;
  size_t used_bytes = 0;
};

// The pinned memory of a device, shared by its streams. The device's context is current in every call.
class Staging {
 public:
  static constexpr size_t chunk_bytes = size_t{2} << 20;

  Staging() = default;
  ~Staging();
  Staging(const Staging &) = delete;
  Staging &operator=(const Staging &) = delete;

  // An empty chunk. Waits for the oldest one under way when there are many.
  UploadChunk *take_chunk();
  // Copies from it have been enqueued on that stream; it becomes empty when they end.
  void retire_chunk(UploadChunk *chunk, CUstream stream);
  // Its copies have ended.
  void return_chunk(UploadChunk *chunk);

  struct Buffer {
    void *pointer = nullptr;
    size_t num_bytes = 0;  // a power of two
  };
  Buffer take_buffer(size_t num_bytes);
  void return_buffer(Buffer buffer) noexcept;

 private:
  std::vector<std::unique_ptr<UploadChunk>> chunks_;  // all of them
  std::vector<UploadChunk *> empty_;
  std::vector<UploadChunk *> under_way_;  // oldest first
  std::vector<Buffer> buffers_;           // of downloads that were taken
  size_t kept_bytes_ = 0;                 // sum of buffers_
};

// The uploads of one stream.
class Uploads {
 public:
  Uploads(Staging &staging, CUstream stream) : staging_(staging), stream_(stream) {}
  void upload(CUdeviceptr target, const void *source, size_t num_bytes);
  // The stream has no work left.
  void finish();

 private:
  Staging &staging_;
  CUstream stream_;
  UploadChunk *chunk_ = nullptr;
};

class CudaDownload : public Download {
 public:
  CudaDownload(CudaDevice &device, CUstream stream, CUdeviceptr source, size_t num_bytes);
  ~CudaDownload() override;
  bool ready() override;
  const void *data() override { return buffer_.pointer; }

 private:
  CudaDevice &device_;
  Staging::Buffer buffer_;
  CUevent written_ = nullptr;
};

}  // namespace fp::cuda

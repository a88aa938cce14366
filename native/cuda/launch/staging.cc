#include "staging.h"

#include <algorithm>
#include <cstring>

#include "device.h"

namespace fp::cuda {
namespace {

constexpr size_t max_chunks = 16;
constexpr size_t upload_alignment = 256;  // a divisor of chunk_bytes
constexpr size_t smallest_buffer_bytes = 4096;
constexpr size_t most_kept_bytes = size_t{64} << 20;

void *allocate_pinned(size_t num_bytes) {
  void *pointer = nullptr;
  FLASHPAGE_CUDA(driver().cuMemHostAlloc(&pointer, num_bytes, 0), "allocating %zu bytes of pinned host memory", num_bytes);
  return pointer;
}

CUevent create_event() {
  CUevent event = nullptr;
  FLASHPAGE_CUDA(driver().cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), "creating an event");
  return event;
}

}  // namespace

Staging::~Staging() {
  for (const auto &chunk : chunks_) {
    driver().cuEventDestroy_v2(chunk->read);
    driver().cuMemFreeHost(chunk->bytes);
  }
  for (const Buffer &buffer : buffers_) driver().cuMemFreeHost(buffer.pointer);
}

UploadChunk *Staging::take_chunk() {
  // Streams end out of order, so any of those under way may be empty by now.
  for (size_t i = 0; i < under_way_.size();) {
    const CUresult result = driver().cuEventQuery(under_way_[i]->read);
    if (result == CUDA_ERROR_NOT_READY) {
      ++i;
      continue;
    }
    FLASHPAGE_CUDA(result, "waiting for an earlier upload");
    return_chunk(under_way_[i]);
    under_way_.erase(under_way_.begin() + i);
  }
  // With none under way, streams hold all chunks for themselves, each with room left: waiting would not end.
  if (empty_.empty() && (chunks_.size() < max_chunks || under_way_.empty())) {
    auto chunk = std::make_unique<UploadChunk>();
    chunks_.reserve(chunks_.size() + 1);
    chunk->read = create_event();
    try {
      chunk->bytes = static_cast<std::byte *>(allocate_pinned(chunk_bytes));
    } catch (...) {
      driver().cuEventDestroy_v2(chunk->read);
      throw;
    }
    chunks_.push_back(std::move(chunk));
    return chunks_.back().get();
  }
  if (empty_.empty()) {
    UploadChunk *oldest = under_way_.front();
    FLASHPAGE_CUDA(driver().cuEventSynchronize(oldest->read), "waiting for an earlier upload");
    under_way_.erase(under_way_.begin());
    return_chunk(oldest);
  }
  UploadChunk *chunk = empty_.back();
  empty_.pop_back();
  return chunk;
}

void Staging::retire_chunk(UploadChunk *chunk, CUstream stream) {
  FLASHPAGE_CUDA(driver().cuEventRecord(chunk->read, stream), "recording the end of an upload");
  under_way_.push_back(chunk);
}

void Staging::return_chunk(UploadChunk *chunk) {
  chunk->used_bytes = 0;
  empty_.push_back(chunk);
}

Staging::Buffer Staging::take_buffer(size_t num_bytes) {
  size_t rounded = smallest_buffer_bytes;
  while (rounded < num_bytes) rounded *= 2;
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].num_bytes != rounded) continue;
    const Buffer buffer = buffers_[i];
    buffers_.erase(buffers_.begin() + i);
    kept_bytes_ -= rounded;
    return buffer;
  }
  return {allocate_pinned(rounded), rounded};
}

void Staging::return_buffer(Buffer buffer) noexcept {
  try {
    if (kept_bytes_ + buffer.num_bytes <= most_kept_bytes) {
      buffers_.push_back(buffer);
      kept_bytes_ += buffer.num_bytes;
      return;
    }
  } catch (...) {
  }
  driver().cuMemFreeHost(buffer.pointer);
}

void Uploads::upload(CUdeviceptr target, const void *source, size_t num_bytes) {
  const auto *from = static_cast<const std::byte *>(source);
  while (num_bytes > 0) {
    if (chunk_ && chunk_->used_bytes == Staging::chunk_bytes) {
      staging_.retire_chunk(chunk_, stream_);
      chunk_ = nullptr;
    }
    if (!chunk_) chunk_ = staging_.take_chunk();
    const size_t piece = std::min(num_bytes, Staging::chunk_bytes - chunk_->used_bytes);
    std::byte *bytes = chunk_->bytes + chunk_->used_bytes;
    std::memcpy(bytes, from, piece);
    // Taken before the copy is enqueued: a copy that failed half-way must not see its bytes change.
    chunk_->used_bytes += (piece + upload_alignment - 1) / upload_alignment * upload_alignment;
    FLASHPAGE_CUDA(driver().cuMemcpyHtoDAsync_v2(target, bytes, piece, stream_), "uploading %zu bytes", piece);
    target += piece;
    from += piece;
    num_bytes -= piece;
  }
}

void Uploads::finish() {
  if (chunk_) staging_.return_chunk(chunk_);
  chunk_ = nullptr;
}

CudaDownload::CudaDownload(CudaDevice &device, CUstream stream, CUdeviceptr source, size_t num_bytes) : device_(device) {
  written_ = create_event();
  try {
    buffer_ = device_.staging().take_buffer(num_bytes);
    FLASHPAGE_CUDA(driver().cuMemcpyDtoHAsync_v2(buffer_.pointer, source, num_bytes, stream), "downloading %zu bytes", num_bytes);
    FLASHPAGE_CUDA(driver().cuEventRecord(written_, stream), "recording the end of a download");
  } catch (...) {
    if (buffer_.pointer) {
      driver().cuStreamSynchronize(stream);  // the copy may have been enqueued
      device_.staging().return_buffer(buffer_);
    }
    driver().cuEventDestroy_v2(written_);
    throw;
  }
}

CudaDownload::~CudaDownload() {
  driver().cuCtxSetCurrent(device_.context());
  driver().cuEventSynchronize(written_);
  driver().cuEventDestroy_v2(written_);
  device_.staging().return_buffer(buffer_);
}

bool CudaDownload::ready() {
  device_.make_current();
  const CUresult result = driver().cuEventQuery(written_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  FLASHPAGE_CUDA(result, "the download, or work before it, failed");
  return true;
}

}  // namespace fp::cuda

#include "stream.h"

#include <atomic>
#include <cstring>
#include <utility>

namespace fp::cpu {
namespace {

class CpuDownload final : public Download {
 public:
  struct Result {
    std::vector<unsigned char> bytes;
    std::exception_ptr failure;  // of work before it: the bytes mean nothing then
    std::atomic<bool> done{false};
  };
  explicit CpuDownload(std::shared_ptr<Result> result) : result_(std::move(result)) {}
  bool ready() override {
    if (!result_->done.load(std::memory_order_acquire)) return false;
    if (result_->failure) std::rethrow_exception(result_->failure);
    return true;
  }
  const void *data() override { return result_->bytes.data(); }

 private:
  std::shared_ptr<Result> result_;
};

}  // namespace

bool CpuEvent::ready() {
  if (!mark) return true;
  std::lock_guard lock(mark->mutex);
  if (mark->reached && mark->failure) std::rethrow_exception(mark->failure);
  return mark->reached;
}

CpuStream::CpuStream(std::shared_ptr<Workers> workers, Isa isa) : workers_(std::move(workers)), isa_(isa), thread_([this] { serve(); }) {}

CpuStream::~CpuStream() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CpuStream::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;  // ending, and all work is done
    Work work = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    work = nullptr;  // what it holds is released before the stream counts as idle
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    busy_ = false;
    if (queue_.empty()) {
      workers_->pool.rest();
      changed_.notify_all();
    }
  }
}

void CpuStream::enqueue(Work work) {
  if (capture_) {
    capture_->work.push_back(std::move(work));
    return;
  }
  bool was_empty;
  {
    std::lock_guard lock(mutex_);
    was_empty = queue_.empty() && !busy_;
    queue_.push_back(std::move(work));
  }
  if (was_empty) changed_.notify_all();
}

void CpuStream::throw_failure_locked() {
  if (!failure_) return;
  std::exception_ptr failure = failure_;
  failure_ = nullptr;
  std::rethrow_exception(failure);
}

std::exception_ptr CpuStream::failure() {
  std::lock_guard lock(mutex_);
  return failure_;
}

std::exception_ptr CpuStream::take_failure() {
  std::lock_guard lock(mutex_);
  return std::exchange(failure_, nullptr);
}

bool CpuStream::idle() {
  std::lock_guard lock(mutex_);
  throw_failure_locked();
  return queue_.empty() && !busy_;
}

void CpuStream::synchronize() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
  throw_failure_locked();
}

void CpuStream::record(Event &event) {
  if (capture_) fail(FP_INVALID_ARGUMENT, "an event cannot be recorded while the stream is being captured. Record it before or after.");
  const auto mark = std::make_shared<Mark>();
  static_cast<CpuEvent &>(event).mark = mark;
  enqueue([this, mark] {
    const std::exception_ptr failure = this->failure();
    std::lock_guard lock(mark->mutex);
    mark->reached = true;
    mark->failure = failure;
    mark->time = std::chrono::steady_clock::now();
    mark->changed.notify_all();
  });
}

void CpuStream::wait(Event &event) {
  if (capture_) fail(FP_INVALID_ARGUMENT, "a stream cannot wait for an event while it is being captured. Wait before or after.");
  const std::shared_ptr<Mark> mark = static_cast<CpuEvent &>(event).mark;
  if (!mark) return;
  enqueue([mark] {
    std::unique_lock lock(mark->mutex);
    mark->changed.wait(lock, [&] { return mark->reached; });
  });
}

void CpuStream::upload(void *target, const void *source, size_t num_bytes) {
  if (capture_) fail(FP_INVALID_ARGUMENT, "host memory cannot be uploaded while the stream is being captured. Upload before or after.");
  {
    std::lock_guard lock(mutex_);
    // Nothing is queued before it, so the bytes can go to their place at once.
    if (queue_.empty() && !busy_) {
      memcpy(target, source, num_bytes);
      return;
    }
  }
  auto bytes = std::make_shared<std::vector<unsigned char>>(static_cast<const unsigned char *>(source), static_cast<const unsigned char *>(source) + num_bytes);
  enqueue([target, bytes] { memcpy(target, bytes->data(), bytes->size()); });
}

void CpuStream::copy(void *target, const void *source, size_t num_bytes) {
  enqueue([=] { memmove(target, source, num_bytes); });
}

void CpuStream::fill(void *target, int byte_value, size_t num_bytes) {
  enqueue([=] { memset(target, byte_value, num_bytes); });
}

std::unique_ptr<Download> CpuStream::download(const void *source, size_t num_bytes) {
  if (capture_) fail(FP_INVALID_ARGUMENT, "memory cannot be read back while the stream is being captured. Read it before or after.");
  auto result = std::make_shared<CpuDownload::Result>();
  result->bytes.resize(num_bytes);
  enqueue([this, result, source, num_bytes] {
    memcpy(result->bytes.data(), source, num_bytes);
    // Whoever reads results learns that they are none, and the stream need not say it again.
    result->failure = take_failure();
    result->done.store(true, std::memory_order_release);
  });
  return std::make_unique<CpuDownload>(result);
}

void CpuStream::begin_capture() {
  if (capture_) fail(FP_INVALID_ARGUMENT, "the stream is being captured already. End that capture first.");
  capture_ = std::make_unique<CpuGraph>();
}

std::unique_ptr<Graph> CpuStream::end_capture() {
  if (!capture_) fail(FP_INVALID_ARGUMENT, "the stream is not being captured. Begin a capture first.");
  return std::move(capture_);
}

void CpuStream::launch(Graph &graph) {
  for (const Work &work : static_cast<CpuGraph &>(graph).work) enqueue(work);
}

}  // namespace fp::cpu

// state.h: the emulated driver's objects. Work is done at once when it is enqueued, so a stream is always idle, unless it captures.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../../../native/cuda/launch/driver.h"
#include "../runtime/launch.h"

namespace emulation {

using namespace fp::cuda;

// Errors that the library has no name for.
constexpr CUresult CUDA_ERROR_INVALID_HANDLE = 400;
constexpr CUresult CUDA_ERROR_ILLEGAL_STATE = 401;
constexpr CUresult CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701;
constexpr CUresult CUDA_ERROR_LAUNCH_FAILED = 719;
constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901;
constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903;
constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904;
constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905;
constexpr CUresult CUDA_ERROR_CAPTURED_EVENT = 907;

// What a stream is told to do; the result is the driver's error.
using Work = std::function<CUresult()>;

// Of one stream in a capture: how much it was told to do, and how much of that the stream where the capture began has waited for.
struct Branch {
  size_t told = 0;
  size_t joined = 0;
};
// What the streams of a capture were told to do, in that order.
struct Capture {
  std::vector<Work> work;
  std::vector<std::shared_ptr<Branch>> branches;  // the first is that of the stream where it began
  bool ended = false;
};
struct Stream {
  std::shared_ptr<Capture> capture;  // null if it does not capture; see capture_of
  std::shared_ptr<Branch> branch;
};
struct Event {
  bool recorded = false;
  double milliseconds = 0;
  std::shared_ptr<Capture> capture;  // if it was recorded in one
  std::shared_ptr<Branch> branch;
  size_t told = 0;  // of the branch, before it
};
struct Graph {
  std::vector<Work> work;
};
struct Module {};
struct Function {
  const KernelEntry *kernel;
  int allowed_shared_bytes;
};

struct State {
  std::recursive_mutex mutex;
  CUresult broken = CUDA_SUCCESS;  // after a kernel has failed, as a context is
  const KernelLibrary *library = nullptr;
  std::set<void *> streams, events, graphs, modules;
  std::map<std::string, Function> functions;
  std::map<uintptr_t, size_t> pinned;
};
State &state();

// 90 or 80, by FLASHPAGE_EMULATED_ARCH.
int emulated_arch();
// By FLASHPAGE_EMULATED_SMS.
int emulated_sms();

// The capture that a stream is in, or null. It is over for all streams when it ends.
Capture *capture_of(Stream &stream);

// Does it, or writes it down where the stream captures.
CUresult enqueue(CUstream stream, Work work);

// A handle that exists, or null.
template <typename Object, typename Handle>
Object *find(const std::set<void *> &known, Handle handle) {
  return known.contains(handle) ? reinterpret_cast<Object *>(handle) : nullptr;
}

}  // namespace emulation

// The functions that the library looks up, with its declarations of them.
#define FLASHPAGE_EMULATED_DECLARATION(name, parameters) extern "C" ::fp::cuda::CUresult name parameters;
namespace fp::cuda {
FLASHPAGE_DRIVER_FUNCTIONS(FLASHPAGE_EMULATED_DECLARATION)
}
#undef FLASHPAGE_EMULATED_DECLARATION

// One call at a time; none but those that tell errors after a kernel has failed.
#define FLASHPAGE_EMULATED_CALL()                                                  \
  ::emulation::State &s = ::emulation::state();                                    \
  const std::lock_guard<std::recursive_mutex> lock(s.mutex);                       \
  if (s.broken) return s.broken

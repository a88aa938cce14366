// state.h: the emulated driver's objects. Work is done at once when it is enqueued, so a stream is always idle, unless it captures.
#pragma once
#include <functional>
#include <map>
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
constexpr CUresult CUDA_ERROR_LAUNCH_FAILED = 719;
constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901;

// What a stream is told to do; the result is the driver's error.
using Work = std::function<CUresult()>;

struct Stream {
  bool captures = false;
  std::vector<Work> captured;
};
struct Event {
  bool recorded = false;
  double milliseconds = 0;
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

// library.cc: the kernels' library as the driver sees it, and its shared memory.
#include "library.h"

namespace fp {

// What kernels declare as `extern __shared__ ... shared_memory[]`.
alignas(1024) thread_local unsigned char shared_memory[228 << 10];

}  // namespace fp

namespace emulation {

std::vector<const KernelEntry *> &registered_kernels() {
  static std::vector<const KernelEntry *> all;
  return all;
}

extern "C" __attribute__((visibility("default"))) const KernelLibrary *emulation_kernel_library() {
  static const KernelLibrary library{registered_kernels().data(), registered_kernels().size(), [] { return fp::shared_memory; }, sizeof fp::shared_memory};
  return &library;
}

}  // namespace emulation

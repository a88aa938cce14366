// library.h: how a library of kernels presents itself. build.ts adds a RegisteredKernel to their sources for each kernel that it finds there..
#pragma once
#include <vector>

#include "device_api.h"

namespace emulation {

// The kernels of this library.
std::vector<const KernelEntry *> &registered_kernels();

template <typename Parameter>
void call_kernel(void (*kernel)(), const void *parameter) {
  reinterpret_cast<void (*)(Parameter)>(kernel)(*static_cast<const Parameter *>(parameter));
}

class RegisteredKernel {
 public:
  template <typename Parameter>
  RegisteredKernel(const char *name, void (*kernel)(Parameter)) : entry_{name, call_kernel<Parameter>, reinterpret_cast<void (*)()>(kernel), sizeof(Parameter)} {
    registered_kernels().push_back(&entry_);
  }

 private:
  KernelEntry entry_;
};

}  // namespace emulation



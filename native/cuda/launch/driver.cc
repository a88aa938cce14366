#include "driver.h"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>

#include "../../host/error.h"

namespace fp::cuda {
namespace {

constexpr int oldest_driver_version = 12000;  // CUDA 12.0, driver 525

Driver load() {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    fail(FP_UNAVAILABLE, "no NVIDIA driver is installed (%s). Install driver 525 or newer, or use the CPU.",
         reason ? reason : "libcuda.so.1 was not found");
  }
  Driver table;
#define FLASHPAGE_DRIVER_LOAD(name, parameters)                                      \
  table.name = reinterpret_cast<CUresult(*) parameters>(dlsym(library, #name));      \
  if (!table.name) {                                                                 \
    fail(FP_UNAVAILABLE, "the NVIDIA driver has no function %s, so it is older than 525. Update it, or use the CPU.", #name); \
  }
  FLASHPAGE_DRIVER_FUNCTIONS(FLASHPAGE_DRIVER_LOAD)
#undef FLASHPAGE_DRIVER_LOAD

  const auto refuse = [&](const char *what, CUresult result) {
    const char *name = nullptr, *text = nullptr;
    table.cuGetErrorName(result, &name);
    table.cuGetErrorString(result, &text);
    fail(FP_UNAVAILABLE, "%s: %s (%d): %s.", what, name ? name : "unknown error", result, text ? text : "no description");
  };
  if (const CUresult result = table.cuInit(0)) refuse("the NVIDIA driver did not initialise", result);
  int version = 0;
  if (const CUresult result = table.cuDriverGetVersion(&version)) refuse("the NVIDIA driver did not tell its version", result);
  if (version < oldest_driver_version) {
    fail(FP_UNAVAILABLE, "the NVIDIA driver supports CUDA %d.%d, and 12.0 is needed. Install driver 525 or newer, or use the CPU.",
         version / 1000, version % 1000 / 10);
  }
  return table;
}

}  // namespace

const Driver &driver() {
  static const Driver table = load();
  return table;
}

void fail_driver(CUresult result, const char *doing, ...) {
  char action[512];
  va_list values;
  va_start(values, doing);
  vsnprintf(action, sizeof action, doing, values);
  va_end(values);
  const char *name = nullptr, *text = nullptr;
  driver().cuGetErrorName(result, &name);
  driver().cuGetErrorString(result, &text);
  fail(result == CUDA_ERROR_OUT_OF_MEMORY ? FP_OUT_OF_MEMORY : FP_DEVICE_ERROR, "%s: %s (%d): %s.", action, name ? name : "unknown error", result,
       text ? text : "no description");
}

}  // namespace fp::cuda

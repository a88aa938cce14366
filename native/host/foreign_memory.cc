#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "backend.h"
#include "error.h"

namespace fp {

// msync of clean or anonymous pages does nothing, but it reports pages that are not mapped.
void Device::check_foreign(const void *address, size_t num_bytes) {
  const uintptr_t page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address) & ~(page_bytes - 1);
  const uintptr_t end = reinterpret_cast<uintptr_t>(address) + num_bytes;
  if (msync(reinterpret_cast<void *>(begin), end - begin, MS_ASYNC) != 0 && errno == ENOMEM) {
    fail(FP_INVALID_ARGUMENT, "%zu bytes at 0x%zx are not all mapped in this process.", num_bytes, reinterpret_cast<uintptr_t>(address));
  }
}

}  // namespace fp

#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace emulation {
namespace {

constexpr size_t page_bytes = 4096;
constexpr size_t alignment = 256;  // what CUDA promises
constexpr int poison = 0xff;

struct Allocation {
  size_t num_bytes;
  char *pages;
  size_t mapped_bytes;
};

std::map<uintptr_t, Allocation> &allocations() {
  static auto *const all = new std::map<uintptr_t, Allocation>;
  return *all;
}
size_t used = 0;

size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

// The allocation at or before an address.
const std::pair<const uintptr_t, Allocation> *before(uintptr_t address) {
  auto next = allocations().upper_bound(address);
  return next == allocations().begin() ? nullptr : &*--next;
}

}  // namespace

// The end lies at a page's end, or as near as alignment allows.
uintptr_t allocate_memory(size_t num_bytes) {
  if (num_bytes > device_memory_bytes - used) return 0;
  const size_t room = round_up(num_bytes ? num_bytes : 1, alignment);
  const size_t usable = round_up(room, page_bytes);
  void *memory = mmap(nullptr, usable + 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 0;
  char *pages = static_cast<char *>(memory);
  mprotect(pages + page_bytes, usable, PROT_READ | PROT_WRITE);
  std::memset(pages + page_bytes, poison, usable);
  const uintptr_t address = reinterpret_cast<uintptr_t>(pages) + page_bytes + (usable - room);
  allocations()[address] = {num_bytes, pages, usable + 2 * page_bytes};
  used += num_bytes;
  return address;
}

bool free_memory(uintptr_t address) {
  const auto found = allocations().find(address);
  if (found == allocations().end()) return false;
  const Allocation &allocation = found->second;
  const auto *first = reinterpret_cast<const unsigned char *>(allocation.pages + page_bytes);
  const auto *last = reinterpret_cast<const unsigned char *>(allocation.pages + allocation.mapped_bytes - page_bytes);
  const auto *begin = reinterpret_cast<const unsigned char *>(address), *end = begin + allocation.num_bytes;
  for (const auto *byte = first; byte < last; ++byte) {
    if (byte == begin) byte = end;
    if (byte == last) break;
    if (*byte == poison) continue;
    std::fprintf(stderr, "CUDA emulation: byte %td of an allocation of %zu bytes was written.\n", byte - begin, allocation.num_bytes);
    std::abort();
  }
  munmap(allocation.pages, allocation.mapped_bytes);
  used -= allocation.num_bytes;
  allocations().erase(found);
  return true;
}

size_t used_memory_bytes() { return used; }

bool memory_contains(uintptr_t address, size_t num_bytes) {
  const auto *found = before(address);
  return found && address + num_bytes <= found->first + found->second.num_bytes;
}

std::string describe_address(uintptr_t address) {
  char text[160];
  const auto *found = before(address);
  if (!found) return "below all of the device's memory";
  const size_t offset = address - found->first;
  if (offset < found->second.num_bytes) {
    std::snprintf(text, sizeof text, "byte %zu of an allocation of %zu bytes", offset, found->second.num_bytes);
  } else if (offset < found->second.num_bytes + (size_t{1} << 30)) {
    std::snprintf(text, sizeof text, "%zu bytes behind the end of an allocation of %zu bytes", offset - found->second.num_bytes, found->second.num_bytes);
  } else {
    std::snprintf(text, sizeof text, "not in the device's memory");
  }
  return text;
}

}  // namespace emulation

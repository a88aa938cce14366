// memory.h: the emulated device's memory. Each allocation has pages of its own with an unmapped one behind, so that what reads or writes past its end
// faults; it is filled with NaN.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace emulation {

constexpr size_t device_memory_bytes = size_t{4} << 30;

// 0 if there is no room.
uintptr_t allocate_memory(size_t num_bytes);
// False: there is no such allocation. Ends the process if something was written between its end and its last page's.
bool free_memory(uintptr_t address);
size_t used_memory_bytes();

// All of the bytes lie in one allocation.
bool memory_contains(uintptr_t address, size_t num_bytes);
// In words, for reports.
std::string describe_address(uintptr_t address);

}  // namespace emulation

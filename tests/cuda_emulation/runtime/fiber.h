// fiber.h: threads of execution that switch by hand, each on a stack of its own.
#pragma once
#include <cstddef>

namespace emulation {

// Where a fiber stands while it does not run: its stack pointer; the registers that a function must keep lie on the stack.
using FiberContext = void *;

// Leaves the running fiber in `from` and goes on where `to` stands.
extern "C" void emulation_switch_fiber(FiberContext *from, FiberContext to);

// A new fiber that calls entry(), which must never return.
FiberContext start_fiber(void *stack_end, void (*entry)());

// Stacks of one size, each with an unmapped page below it, so that an overflow is a fault and not a puzzle.
class FiberStacks {
 public:
  static constexpr size_t stack_bytes = 64 << 10;
  // The end (highest address) of stack `index`. Mapped on first use, kept for good.
  void *end_of(size_t index);

 private:
  static constexpr size_t block_stacks = 128;
  static constexpr size_t max_blocks = 8;
  char *blocks_[max_blocks] = {};
};

}  // namespace emulation

#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace emulation {

#if defined(__x86_64__)
// Kept by the callee in the System V ABI: rbx, rbp, r12 to r15. The rounding and exception modes are never changed.
asm(R"(
.text
.globl emulation_switch_fiber
.type emulation_switch_fiber, @function
emulation_switch_fiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulation_switch_fiber, .-emulation_switch_fiber
)");

FiberContext start_fiber(void *stack_end, void (*entry)()) {
  auto *top = reinterpret_cast<uintptr_t *>(reinterpret_cast<uintptr_t>(stack_end) & ~uintptr_t{63});
  *--top = 0;  // entry() finds the stack as after a call
  *--top = reinterpret_cast<uintptr_t>(entry);
  for (int i = 0; i < 6; ++i) *--top = 0;
  return top;
}
#elif defined(__aarch64__)
// Kept by the callee in AAPCS64: x19 to x30 and the low halves of v8 to v15.
asm(R"(
.text
.globl emulation_switch_fiber
.type emulation_switch_fiber, %function
emulation_switch_fiber:
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size emulation_switch_fiber, .-emulation_switch_fiber
)");

FiberContext start_fiber(void *stack_end, void (*entry)()) {
  auto *top = reinterpret_cast<uintptr_t *>(reinterpret_cast<uintptr_t>(stack_end) & ~uintptr_t{63}) - 20;
  for (int i = 0; i < 20; ++i) top[i] = 0;
  top[11] = reinterpret_cast<uintptr_t>(entry);  // x30
  return top;
}
#else
#error "The emulation switches fibers on x86-64 and arm64 only."
#endif

void *FiberStacks::end_of(size_t index) {
  constexpr size_t guard_bytes = 4096;
  constexpr size_t pitch = guard_bytes + stack_bytes;
  char *&block = blocks_[index / block_stacks];
  if (!block) {
    void *memory = mmap(nullptr, pitch * block_stacks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      perror("CUDA emulation: mapping stacks");
      abort();
    }
    block = static_cast<char *>(memory);
    for (size_t i = 0; i < block_stacks; ++i) mprotect(block + i * pitch, guard_bytes, PROT_NONE);
  }
  // Ends differ in their low bits, so that the stacks don't compete for the same cache sets.
  return block + (index % block_stacks + 1) * pitch - index % 32 * 320;
}

}  // namespace emulation

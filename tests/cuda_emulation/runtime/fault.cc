#include "fault.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cta.h"
#include "memory.h"
#include "report.h"

namespace emulation {
namespace {

struct sigaction before[2];
constexpr int signals[2] = {SIGSEGV, SIGBUS};

void on_fault(int number, siginfo_t *info, void *) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (current) {
    const Thread &thread = self();
    report(*thread.cta->launch, thread.block, "thread %u (warp %u, lane %u) accessed %p, which is %s", thread.index, thread.warp->index, thread.lane,
           info->si_addr, describe_address(address).c_str());
  }
  for (int i = 0; i < 2; ++i) sigaction(signals[i], &before[i], nullptr);
  if (number == SIGSEGV || number == SIGBUS) std::_Exit(139);
}

}  // namespace

void use_fault_stack() {
  constexpr size_t num_bytes = 64 << 10;
  stack_t stack{};
  stack.ss_sp = std::malloc(num_bytes);
  stack.ss_size = num_bytes;
  sigaltstack(&stack, nullptr);
}

FaultReports::FaultReports() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (int i = 0; i < 2; ++i) sigaction(signals[i], &action, &before[i]);
}

FaultReports::~FaultReports() {
  for (int i = 0; i < 2; ++i) sigaction(signals[i], &before[i], nullptr);
}

}  // namespace emulation

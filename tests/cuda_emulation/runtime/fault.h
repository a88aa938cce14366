// fault.h: an access to memory that does not exist ends the process, as it ends a CUDA context; before that, says which thread it was.
#pragma once

namespace emulation {

// Once an OS thread: faults are handled on a stack of their own, since it may be the stack that overflowed.
void use_fault_stack();

// While it lives, faults are reported.
class FaultReports {
 public:
  FaultReports();
  ~FaultReports();
  FaultReports(const FaultReports &) = delete;
  FaultReports &operator=(const FaultReports &) = delete;
};

}  // namespace emulation

// launch_branch.h: a second stream beside a user's, for two kernels of one call that may run at the same time.
#pragma once
#include <exception>

#include "driver.h"

namespace fp::cuda {

class CudaDevice;
struct Launch;

// The branch of one user's stream, made when it is first used. It is of that stream alone: while the stream is captured, its branch is a part of the
// same graph.
class LaunchBranch {
 public:
  explicit LaunchBranch(CudaDevice &device) : device_(device) {}
  // The user's stream, which has waited for the branch, must have nothing under way.
  ~LaunchBranch();
  LaunchBranch(const LaunchBranch &) = delete;
  LaunchBranch &operator=(const LaunchBranch &) = delete;

 private:
  friend class ForkedLaunch;
  void create();

  CudaDevice &device_;
  CUstream stream_ = nullptr;
  CUevent fork_ = nullptr;
  CUevent join_ = nullptr;
};

// Forks the branch off the stream, where it stands, and joins it again at the end of the scope, also if a launch in between has thrown: what the stream
// is given after that waits for both, and a capture never ends with a branch that is open.
class ForkedLaunch {
 public:
  explicit ForkedLaunch(const Launch &launch);
  // Throws if joining fails, unless another error is on its way.
  ~ForkedLaunch() noexcept(false);
  ForkedLaunch(const ForkedLaunch &) = delete;
  ForkedLaunch &operator=(const ForkedLaunch &) = delete;

  // For launches on the branch.
  Launch branch() const;

 private:
  const Launch &launch_;
  const int num_exceptions_ = std::uncaught_exceptions();
};

}  // namespace fp::cuda

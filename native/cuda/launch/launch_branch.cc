#include "launch_branch.h"

#include "device.h"

namespace fp::cuda {

LaunchBranch::~LaunchBranch() {
  const Driver &cu = driver();
  cu.cuCtxSetCurrent(device_.context());
  if (join_) cu.cuEventDestroy_v2(join_);
  if (fork_) cu.cuEventDestroy_v2(fork_);
  if (stream_) cu.cuStreamDestroy_v2(stream_);
}

void LaunchBranch::create() {
  const Driver &cu = driver();
  if (!stream_) FLASHPAGE_CUDA(cu.cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), "creating the branch of a stream");
  if (!fork_) FLASHPAGE_CUDA(cu.cuEventCreate(&fork_, CU_EVENT_DISABLE_TIMING), "creating an event");
  if (!join_) FLASHPAGE_CUDA(cu.cuEventCreate(&join_, CU_EVENT_DISABLE_TIMING), "creating an event");
}

ForkedLaunch::ForkedLaunch(const Launch &launch) : launch_(launch) {
  LaunchBranch &branch = launch.branch;
  branch.create();
  FLASHPAGE_CUDA(driver().cuEventRecord(branch.fork_, launch.stream), "recording where a branch begins");
  FLASHPAGE_CUDA(driver().cuStreamWaitEvent(branch.stream_, branch.fork_, 0), "making a branch wait for its stream");
}

ForkedLaunch::~ForkedLaunch() noexcept(false) {
  const LaunchBranch &branch = launch_.branch;
  CUresult result = driver().cuEventRecord(branch.join_, branch.stream_);
  if (result == CUDA_SUCCESS) result = driver().cuStreamWaitEvent(launch_.stream, branch.join_, 0);
  if (std::uncaught_exceptions() > num_exceptions_) return;
  FLASHPAGE_CUDA(result, "joining a branch with its stream");
}

Launch ForkedLaunch::branch() const { return {launch_.device, launch_.branch.stream_, launch_.scratch, launch_.branch}; }

}  // namespace fp::cuda

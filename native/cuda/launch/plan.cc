// plan.cc: planning on the device. See kernels/plan_decode.cuh.
#include "../../host/plan_params.h"
#include "cuda.h"

namespace fp::cuda {

void launch_plan_decode(const Launch &launch, const fp_plan_decode_args &args) {
  PlanDecodeParams p = plan_decode_params(args);
  int shared_bytes = 0;
  if (args.max_requests <= plan_line_in_shared) {
    shared_bytes = args.max_requests * static_cast<int>(sizeof(LineTile));
  } else {
    p.line = static_cast<LineTile *>(scratch_memory(launch, sizeof(LineTile) * static_cast<size_t>(args.max_requests)));
  }
  launch_kernel(launch, find_kernel(launch.device, "plan_decode", "plan_decode"), {1}, plan_decode_threads, static_cast<unsigned>(shared_bytes), &p);
}

}  // namespace fp::cuda

#include "device.h"

namespace fp::cuda {

void launch_linear(const Launch &launch, const fp_linear_args &args) {
  if (!launch.device.linear_library().run(launch, args)) launch_linear_own(launch, args);
}

}  // namespace fp::cuda

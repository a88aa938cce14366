// unavailable.cc: takes the place of this folder on platforms without CUDA.
#include "../../host/backend.h"
#include "../../host/error.h"

namespace fp {

std::unique_ptr<Device> open_cuda_device(int) {
  fail(FP_UNAVAILABLE, "CUDA does not exist on this platform. Use the CPU.");
}

}  // namespace fp

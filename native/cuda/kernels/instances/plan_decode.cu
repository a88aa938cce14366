// Planning on the device: decode tiles.
#include "kernels/plan_decode.cuh"

extern "C" __global__ void __launch_bounds__(fp::plan_decode_threads, 1) plan_decode(const __grid_constant__ fp::PlanDecodeParams params) {
  fp::plan_decode(params);
}

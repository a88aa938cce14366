// integer_max_sm90.cuh: the larger of three integers, one instruction on Hopper (VIMNMX3). CUDA C++ programming guide, "DPX".
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

__device__ __forceinline__ i32 max3(i32 a, i32 b, i32 c) { return __vimax3_s32(a, b, c); }

}  // namespace fp::ptx

// pin.cuh: values that must be known at a place in the program. The compiler otherwise computes them where they are used, which may be behind a long wait.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

__device__ __forceinline__ void pin(float &value) { asm volatile("" : "+f"(value)); }

template <typename T>
__device__ __forceinline__ void pin(T *&pointer) {
  asm volatile("" : "+l"(pointer));
}

}  // namespace fp::ptx

// element.cuh: the float dtypes as tags that know how an element is stored and how it becomes a float.
#pragma once
#include "ptx/convert.cuh"

namespace fp {

struct F32Element {
  using Storage = float;
  __device__ static __forceinline__ float load(float value) { return value; }
  __device__ static __forceinline__ float store(float value) { return value; }
};

// Dtype: Bf16 or F16. Rounds to nearest even.
template <typename Dtype>
struct HalfElement {
  using Storage = u16;
  __device__ static __forceinline__ float load(u16 value) { return ptx::to_float(value, Dtype{}); }
  __device__ static __forceinline__ u16 store(float value) { return static_cast<u16>(ptx::pack(value, 0.f, Dtype{})); }
};

}  // namespace fp

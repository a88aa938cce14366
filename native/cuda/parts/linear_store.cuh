// linear_store.cuh: the end of a matrix product: bias, rounding, storing.
#pragma once
#include "parts/linear_params.h"
#include "parts/pack.cuh"

namespace fp {

template <typename Element>
__device__ __forceinline__ float linear_bias(const LinearParams &p, i32 column) {
  return p.bias == nullptr ? 0.f : Element::load(reinterpret_cast<const typename Element::Storage *>(p.bias)[column]);
}

template <typename Element>
__device__ __forceinline__ void linear_store(const LinearParams &p, i64 row, i32 column, float value) {
  const i64 at = row * p.out_row_stride + column;
  if (p.out_is_f32) {
    reinterpret_cast<float *>(p.out)[at] = value;
  } else {
    reinterpret_cast<typename Element::Storage *>(p.out)[at] = Element::store(value);
  }
}

// Where a tile's sums go: out, or the partials of a split.
struct LinearTarget {
  char *base;
  i64 row_stride;  // elements
  i32 num_columns;
  bool is_f32;
  bool is_wide;     // rows begin at multiples of 16 bytes
  const u16 *bias;  // or null
};

// Eight neighbours; `column` is a multiple of 8, and they may reach past the last.
template <typename Dtype>
__device__ __forceinline__ void linear_store_eight(const LinearTarget &target, i64 row, i32 column, float (&values)[8]) {
  using Element = HalfElement<Dtype>;
  const i64 at = row * target.row_stride + column;
  const bool all = column + 8 <= target.num_columns;
  if (target.bias != nullptr) {
#pragma unroll
    for (int i = 0; i < 8; ++i) values[i] += column + i < target.num_columns ? Element::load(target.bias[column + i]) : 0.f;
  }
  if (target.is_f32) {
    float *to = reinterpret_cast<float *>(target.base) + at;
    if (all && target.is_wide) {
      reinterpret_cast<float4 *>(to)[0] = make_float4(values[0], values[1], values[2], values[3]);
      reinterpret_cast<float4 *>(to)[1] = make_float4(values[4], values[5], values[6], values[7]);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (column + i < target.num_columns) to[i] = values[i];
      }
    }
  } else {
    u16 *to = reinterpret_cast<u16 *>(target.base) + at;
    if (all && target.is_wide) {
      *reinterpret_cast<uint4 *>(to) = Pack<Element, 8>::pack(values);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (column + i < target.num_columns) to[i] = Element::store(values[i]);
      }
    }
  }
}

}  // namespace fp

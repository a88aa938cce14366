// row_lanes.cuh: which row and which packs of it a thread has, where rows are independent.
#pragma once
#include "parts/model_ops_params.h"
#include "parts/types.cuh"

namespace fp {

// Packs first, first + step, ... of row; kSteps of them.
template <int kSteps>
struct RowPart {
  i64 row;
  u32 first;
  u32 step;

  __device__ __forceinline__ explicit RowPart(const RowLanes &p) : step(1u << p.lanes_log2) {
    const u32 row_block = blockIdx.x / p.column_blocks;
    const u32 column_block = blockIdx.x - row_block * p.column_blocks;
    row = static_cast<i64>(row_block) * (blockDim.x >> p.lanes_log2) + (threadIdx.x >> p.lanes_log2);
    first = column_block * (step * kSteps) + (threadIdx.x & (step - 1));
  }
};

}  // namespace fp

// linear_rows.cuh: x . weight^T for few rows of x (decode), f16 and bf16, where rows begin at multiples of 16 bytes. The weight is read once,
// straight into the fragments of mma.sync: 16 of its rows are the A operand, x's rows the B operand, so that out^T comes out.
//
// A sum does not mind in which order in_dim is taken, as long as both operands take the same: a lane's 16 bytes, elements 8t .. 8t + 7 of
// a run of 32, serve as k = (2t, 2t + 1, 2t + 8, 2t + 9) of two mma. So neither operand passes through shared memory.
//
// Worked example, out_dim 4096 on 132 SMs: 256 CTAs of 8 warps, all there at once; 16 warps an SM x 4 KB = 64 KB of weight under way.
#pragma once
#include "parts/linear_store.cuh"
#include "ptx/load.cuh"
#include "ptx/mma_sm80.cuh"

namespace fp {

// kBlocks: of 8 rows of x. kRuns: runs of 32 elements that are under way together.
template <typename Dtype, int kBlocks, int kRuns>
__device__ __forceinline__ void linear_rows(const LinearParams &p) {
  using Element = HalfElement<Dtype>;
  constexpr int kPitch = kBlocks * 8 + 1;
  __shared__ float parts[linear_rows_warps][linear_rows_outputs][kPitch];
  const u32 lane = threadIdx.x % 32;
  const u32 warp = threadIdx.x / 32;
  const i32 group = static_cast<i32>(lane / 4);
  const i32 first_column = static_cast<i32>(blockIdx.x) * linear_rows_outputs;
  // Outputs past the last are computed from the last one's weights, and dropped.
  const u16 *weight = reinterpret_cast<const u16 *>(p.weight);
  const u16 *upper = weight + static_cast<i64>(min(first_column + group, p.out_dim - 1)) * p.in_dim;
  const u16 *lower = weight + static_cast<i64>(min(first_column + group + 8, p.out_dim - 1)) * p.in_dim;
  const u16 *x[kBlocks];
#pragma unroll
  for (int b = 0; b < kBlocks; ++b) x[b] = reinterpret_cast<const u16 *>(p.x) + static_cast<i64>(min(b * 8 + group, p.num_rows - 1)) * p.x_row_stride;

  float sums[kBlocks][4] = {};
#pragma unroll 1
  for (i32 begin = static_cast<i32>(warp) * (kRuns * 32); begin < p.in_dim; begin += linear_rows_warps * kRuns * 32) {
    uint4 w[kRuns][2], v[kRuns][kBlocks];
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
      const i32 k = begin + r * 32 + static_cast<i32>(lane % 4) * 8;
      const bool exists = k < p.in_dim;
      w[r][0] = exists ? ptx::load_once_16(upper + k) : uint4{};
      w[r][1] = exists ? ptx::load_once_16(lower + k) : uint4{};
#pragma unroll
      for (int b = 0; b < kBlocks; ++b) v[r][b] = exists ? *reinterpret_cast<const uint4 *>(x[b] + k) : uint4{};
    }
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
      const u32 first[4] = {w[r][0].x, w[r][1].x, w[r][0].y, w[r][1].y};
      const u32 second[4] = {w[r][0].z, w[r][1].z, w[r][0].w, w[r][1].w};
#pragma unroll
      for (int b = 0; b < kBlocks; ++b) {
        ptx::mma(sums[b], first, v[r][b].x, v[r][b].y, Dtype{});
        ptx::mma(sums[b], second, v[r][b].z, v[r][b].w, Dtype{});
      }
    }
  }
#pragma unroll
  for (int b = 0; b < kBlocks; ++b) {
#pragma unroll
    for (int c = 0; c < 4; ++c) parts[warp][group + c / 2 * 8][b * 8 + static_cast<i32>(lane % 4) * 2 + c % 2] = sums[b][c];
  }
  __syncthreads();
  for (i32 i = threadIdx.x; i < p.num_rows * linear_rows_outputs; i += linear_rows_warps * 32) {
    const i32 output = i % linear_rows_outputs, row = i / linear_rows_outputs;
    const i32 column = first_column + output;
    if (column >= p.out_dim) continue;
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < linear_rows_warps; ++w) sum += parts[w][output][row];
    linear_store<Element>(p, row, column, sum + linear_bias<Element>(p, column));
  }
}

}  // namespace fp

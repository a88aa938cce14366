// rms_norm.cuh: RMS norm of rows, with the residual addition before it. One pass: a thread keeps its packs in registers between the
// sum of squares and the scaling. Rows longer than that are read twice, the second time from L1 or L2.
//
// Worked example, 4096 x bf16 [4096]: 512 packs a row, 256 lanes, two packs a thread; five CTAs an SM have 40 KB of reads under way.
#pragma once
#include "parts/model_ops_params.h"
#include "parts/pack.cuh"
#include "parts/types.cuh"

namespace fp {

// The sum over the lanes of a row; all threads of the CTA must call it together. partial: one float a warp of the CTA.
__device__ __forceinline__ float sum_of_row(float value, u32 lanes_log2, float *partial) {
  const u32 lanes = 1u << lanes_log2;
  for (u32 step = min(lanes, 32u) / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  if (lanes <= 32) return value;
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  const u32 warps = lanes / 32;
  value = partial[(threadIdx.x >> lanes_log2) * warps + (threadIdx.x & (warps - 1))];
  for (u32 step = warps / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

template <typename Element, int kCount>
class RmsNormRow {
  using P = Pack<Element, kCount>;
  using Raw = typename P::Raw;
  static constexpr u32 kBytes = P::kBytes;

 public:
  __device__ __forceinline__ RmsNormRow(const RmsNormParams &p, i64 row)
      : x_(p.x + row * p.x_row_bytes),
        residual_(p.residual == nullptr ? nullptr : p.residual + row * p.residual_row_bytes),
        weight_(p.weight),
        out_(p.out + row * p.out_row_bytes) {}

  __device__ __forceinline__ bool has_residual() const { return residual_ != nullptr; }
  __device__ __forceinline__ Raw x(u32 pack) const { return P::read(x_ + pack * kBytes); }
  __device__ __forceinline__ Raw residual(u32 pack) const { return P::read(residual_ + pack * kBytes); }
  __device__ __forceinline__ Raw weight(u32 pack) const { return P::read(weight_ + pack * kBytes); }

  // Stores residual + x, and returns it as stored, after rounding: its norm is taken.
  __device__ __forceinline__ Raw add(u32 pack, Raw raw_x, Raw raw_residual) const {
    float values[kCount], before[kCount];
    P::unpack(raw_x, values);
    P::unpack(raw_residual, before);
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] += before[i];
    const Raw sum = P::pack(values);
    P::write(residual_ + pack * kBytes, sum);
    return sum;
  }

  __device__ __forceinline__ void scale(u32 pack, Raw raw, Raw raw_weight, float scale) const {
    float values[kCount], weights[kCount];
    P::unpack(raw, values);
    P::unpack(raw_weight, weights);
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = values[i] * scale * weights[i];
    P::write(out_ + pack * kBytes, P::pack(values));
  }

 private:
  const char *x_;
  char *residual_;
  const char *weight_;
  char *out_;
};

template <typename Element, int kCount>
__device__ __forceinline__ float square_sum(typename Pack<Element, kCount>::Raw raw, float sum) {
  float values[kCount];
  Pack<Element, kCount>::unpack(raw, values);
#pragma unroll
  for (int i = 0; i < kCount; ++i) sum = fmaf(values[i], values[i], sum);
  return sum;
}

template <typename Element, int kCount>
__device__ __forceinline__ void rms_norm(const RmsNormParams &p) {
  using Raw = typename Pack<Element, kCount>::Raw;
  __shared__ float partial[32];
  const u32 lanes = 1u << p.lanes_log2;
  const u32 lane = threadIdx.x & (lanes - 1);
  const i64 row_index = static_cast<i64>(blockIdx.x) * (blockDim.x >> p.lanes_log2) + (threadIdx.x >> p.lanes_log2);
  // Threads past the last row have no packs, but take part in the sums.
  const u32 num_packs = row_index < p.num_rows ? static_cast<u32>(p.num_packs) : 0;
  const RmsNormRow<Element, kCount> row(p, row_index < p.num_rows ? row_index : 0);
  // All reads of the packs held come first. A pack past the end is 0.
  Raw held[rms_norm_held], before[rms_norm_held], weights[rms_norm_held];
#pragma unroll
  for (int i = 0; i < rms_norm_held; ++i) {
    const u32 pack = lane + i * lanes;
    const bool valid = pack < num_packs;
    held[i] = valid ? row.x(pack) : Raw{};
    before[i] = valid && row.has_residual() ? row.residual(pack) : Raw{};
    weights[i] = valid ? row.weight(pack) : Raw{};
  }
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < rms_norm_held; ++i) {
    const u32 pack = lane + i * lanes;
    if (row.has_residual() && pack < num_packs) held[i] = row.add(pack, held[i], before[i]);
    sum = square_sum<Element, kCount>(held[i], sum);
  }
  // Long rows: the rest is read again below, by the thread that stored it.
  const u32 rest = lane + rms_norm_held * lanes;
#pragma unroll 1
  for (u32 pack = rest; pack < num_packs; pack += lanes) {
    Raw raw = row.x(pack);
    if (row.has_residual()) raw = row.add(pack, raw, row.residual(pack));
    sum = square_sum<Element, kCount>(raw, sum);
  }
  sum = sum_of_row(sum, p.lanes_log2, partial);
  const float scale = 1.f / sqrtf(sum / static_cast<float>(p.dim) + p.eps);
#pragma unroll
  for (int i = 0; i < rms_norm_held; ++i) {
    const u32 pack = lane + i * lanes;
    if (pack < num_packs) row.scale(pack, held[i], weights[i], scale);
  }
#pragma unroll 1
  for (u32 pack = rest; pack < num_packs; pack += lanes) row.scale(pack, row.has_residual() ? row.residual(pack) : row.x(pack), row.weight(pack), scale);
}

}  // namespace fp

// merge_rows.cuh: the rows of a merge item: out = sum of 2^(lse_i - max) out_i, normalised (FlashInfer paper, section 2.2).
//
// Memory-bound and short: what counts is the chain of dependent reads (merge item, partial rows, their LSE, their outputs), so a
// warp has a row of its own, its lanes fetch the LSE of 32 partials at a time, and four partials' outputs are under way at once.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/online_softmax.cuh"

namespace fp {

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
  return x;
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

constexpr float kLog2e = 1.4426950408889634f;

// The weight of a state among others whose largest LSE is `max`; 0 if none has seen anything.
__device__ __forceinline__ float state_weight(float lse, float max) { return lse == -kInfinity ? 0.f : ptx::exp2((lse - max) * kLog2e); }

// Row r of a merge item: partial i's row lies at workspace row first[i] + r.
template <typename Dtype, int kDimVo>
struct MergeRow {
  static constexpr int kVectors = kDimVo / 4;  // of four columns
  static constexpr int kSteps = (kVectors + 31) / 32;

  const AttentionParams &p;
  const i32 *first;
  i32 num_partials;
  i32 row;
  u32 lane;

  __device__ __forceinline__ i64 workspace_row(i32 index) const {
    return min(static_cast<i64>(max(__ldg(first + index), 0)) + row, static_cast<i64>(p.max_partial_rows - 1));
  }

  __device__ __forceinline__ void run(i64 token, i32 head) const {
    float top = -kInfinity;
    for (i32 i = lane; i < num_partials; i += 32) top = fmaxf(top, __ldcg(p.partial_lse + workspace_row(i)));
    top = warp_max(top);
    float4 total[kSteps];
#pragma unroll
    for (int s = 0; s < kSteps; ++s) total[s] = make_float4(0.f, 0.f, 0.f, 0.f);
    float sum = 0.f;
    for (i32 begin = 0; begin < num_partials; begin += 32) {
      const i32 mine = begin + static_cast<i32>(lane);
      const i64 my_row = mine < num_partials ? workspace_row(mine) : 0;
      const float my_weight = mine < num_partials ? state_weight(__ldcg(p.partial_lse + my_row), top) : 0.f;
      sum += my_weight;
      const i32 count = min(num_partials - begin, 32);
      for (i32 i = 0; i < count; i += 4) {
        float weight[4];
        float4 value[4][kSteps];
#pragma unroll
        for (int u = 0; u < 4; ++u) {
          // Past the end the weight is 0 and the row is the first of all, which exists.
          weight[u] = __shfl_sync(0xffffffffu, my_weight, i + u);
          const float4 *from = reinterpret_cast<const float4 *>(p.partial_out + __shfl_sync(0xffffffffu, my_row, i + u) * kDimVo);
#pragma unroll
          for (int s = 0; s < kSteps; ++s) value[u][s] = weight[u] != 0.f && lane + 32 * s < kVectors ? __ldcg(from + lane + 32 * s) : make_float4(0.f, 0.f, 0.f, 0.f);
        }
#pragma unroll
        for (int u = 0; u < 4; ++u) {
#pragma unroll
          for (int s = 0; s < kSteps; ++s) {
            total[s].x += weight[u] * value[u][s].x;
            total[s].y += weight[u] * value[u][s].y;
            total[s].z += weight[u] * value[u][s].z;
            total[s].w += weight[u] * value[u][s].w;
          }
        }
      }
    }
    sum = warp_sum(sum);
    const float scale = normaliser(sum);
    char *to = p.out + token * p.out_token_bytes + head * p.out_head_bytes;
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      if (lane + 32 * s < kVectors) {
        reinterpret_cast<uint2 *>(to)[lane + 32 * s] =
            make_uint2(ptx::pack(total[s].x * scale, total[s].y * scale, Dtype{}), ptx::pack(total[s].z * scale, total[s].w * scale, Dtype{}));
      }
    }
    if (lane == 0 && p.lse != nullptr) p.lse[token * p.num_qo_heads + head] = sum == 0.f ? -kInfinity : top + ptx::log2(sum) * kLn2;
  }
};

// Rows first_row, first_row + row_step, ... of a merge item, by one warp.
template <typename Dtype, int kDimVo>
__device__ __forceinline__ void merge_rows(const AttentionParams &p, i32 index, i32 first_row, i32 row_step, u32 lane) {
  const MergeItem *merge = p.merges + index;
  const i32 token_begin = max(__ldg(&merge->token_begin), 0);
  const i32 kv_head = __ldg(&merge->kv_head);
  const i32 partials_begin = max(__ldg(&merge->partials_begin), 0);
  const i32 num_partials = min(__ldg(&merge->num_partials), p.max_partials - partials_begin);
  const i32 num_tokens = min(__ldg(&merge->num_tokens), p.num_tokens - token_begin);
  if (static_cast<u32>(kv_head) >= static_cast<u32>(p.num_kv_heads) || p.max_partial_rows == 0) return;
  for (i32 row = first_row; row < num_tokens * p.group; row += row_step) {
    const i32 token = divide(row, p.by_group);
    MergeRow<Dtype, kDimVo>{p, p.partials + partials_begin, num_partials, row, lane}.run(token_begin + token, kv_head * p.group + row - token * p.group);
  }
}

}  // namespace fp

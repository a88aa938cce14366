// merge.cuh: joins attention states over disjoint KV (FlashInfer paper, section 2.2): out = sum of 2^(lse_i - max) out_i, normalised.
//
// Memory-bound and short: what counts is the chain of dependent reads (merge item, partial rows, their LSE, their outputs), so a
// warp has a row of its own, its lanes fetch the LSE of 32 partials at a time, and four partials' outputs are under way at once.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/online_softmax.cuh"

namespace fp {

constexpr int merge_warps = 4;  // of a CTA

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

// CTA (x, y) takes the merge items x, x + gridDim.x, ... and of each the rows of its warps, y * merge_warps + warp and so on.
template <typename Dtype, int kDimVo>
__device__ __forceinline__ void merge_partials(const AttentionParams &p) {
  const u32 lane = threadIdx.x % 32;
  const i32 num_merges = min(__ldg(&p.header->num_merges), p.max_merges);
  for (i32 index = static_cast<i32>(blockIdx.x); index < num_merges; index += static_cast<i32>(gridDim.x)) {
    const MergeItem *merge = p.merges + index;
    const i32 token_begin = max(__ldg(&merge->token_begin), 0);
    const i32 kv_head = __ldg(&merge->kv_head);
    const i32 partials_begin = max(__ldg(&merge->partials_begin), 0);
    const i32 num_partials = min(__ldg(&merge->num_partials), p.max_partials - partials_begin);
    const i32 num_tokens = min(__ldg(&merge->num_tokens), p.num_tokens - token_begin);
    if (static_cast<u32>(kv_head) >= static_cast<u32>(p.num_kv_heads) || p.max_partial_rows == 0) continue;
    for (i32 row = static_cast<i32>(blockIdx.y) * merge_warps + static_cast<i32>(threadIdx.x / 32); row < num_tokens * p.group;
         row += static_cast<i32>(gridDim.y) * merge_warps) {
      const i32 token = divide(row, p.by_group);
      MergeRow<Dtype, kDimVo>{p, p.partials + partials_begin, num_partials, row, lane}.run(token_begin + token, kv_head * p.group + row - token * p.group);
    }
  }
}

// fp_merge_states: any head dim, so a lane walks single columns. T converts elements.
template <typename Element>
__device__ __forceinline__ void merge_states(const MergeStatesParams &p) {
  using Storage = typename Element::Storage;
  const u32 lane = threadIdx.x % 32;
  const i64 num_rows = p.num_rows;
  for (i64 row = static_cast<i64>(blockIdx.x) * merge_warps + threadIdx.x / 32; row < num_rows; row += static_cast<i64>(gridDim.x) * merge_warps) {
    float top = -kInfinity;
    for (i32 i = lane; i < p.num_states; i += 32) top = fmaxf(top, __ldg(p.states_lse + i * num_rows + row));
    top = warp_max(top);
    float sum = 0.f;
    for (i32 i = lane; i < p.num_states; i += 32) sum += state_weight(__ldg(p.states_lse + i * num_rows + row), top);
    sum = warp_sum(sum);
    const float scale = normaliser(sum);
    for (i32 column = lane; column < p.head_dim; column += 32) {
      float total = 0.f;
#pragma unroll 4
      for (i32 i = 0; i < p.num_states; ++i) {
        const float weight = state_weight(__ldg(p.states_lse + i * num_rows + row), top);
        const float value = Element::load(reinterpret_cast<const Storage *>(p.states)[(i * num_rows + row) * p.head_dim + column]);
        // A state that saw nothing may hold anything, NaN too.
        if (weight != 0.f) total = fmaf(weight, value, total);
      }
      reinterpret_cast<Storage *>(p.out)[row * p.head_dim + column] = Element::store(total * scale);
    }
    if (lane == 0 && p.lse != nullptr) p.lse[row] = sum == 0.f ? -kInfinity : top + ptx::log2(sum) * kLn2;
  }
}

}  // namespace fp

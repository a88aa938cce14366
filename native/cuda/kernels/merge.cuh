// merge.cuh: joins attention states over disjoint KV (FlashInfer paper, section 2.2): out = sum of 2^(lse_i - max) out_i, normalised.
#pragma once
#include "parts/merge_rows.cuh"

namespace fp {

constexpr int merge_warps = 4;  // of a CTA

// CTA (x, y) takes the merge items x, x + gridDim.x, ... and of each the rows of its warps, y * merge_warps + warp and so on. Not those that
// the attention kernel did itself.
template <typename Dtype, int kDimVo>
__device__ __forceinline__ void merge_partials(const AttentionParams &p) {
  const u32 lane = threadIdx.x % 32;
  const i32 num_merges = min(__ldg(&p.header->num_merges), p.max_merges);
  const i32 first_row = static_cast<i32>(blockIdx.y) * merge_warps + static_cast<i32>(threadIdx.x / 32);
  for (i32 index = static_cast<i32>(blockIdx.x); index < num_merges; index += static_cast<i32>(gridDim.x)) {
    if (__ldg(&p.merges[index].in_kernel) != 0) continue;
    merge_rows<Dtype, kDimVo, 16, true>(p, MergePlan(p, index, lane), first_row, static_cast<i32>(gridDim.y) * merge_warps, lane);
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

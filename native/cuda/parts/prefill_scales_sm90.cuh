// prefill_scales_sm90.cuh: what a thread's two rows of scores are multiplied by. With 16-bit operands that is the launch's business alone; with FP8
// it depends on the KV head, and may on the query head, i.e. on the row.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/kv_scales.cuh"

namespace fp {

template <bool kFp8>
struct PrefillScales {
  __device__ __forceinline__ float score(const AttentionParams &p) const { return p.score_scale; }
  __device__ __forceinline__ float cap(const AttentionParams &p, int) const { return p.cap_scale; }
};

template <>
struct PrefillScales<true> {
  float score_[2];
  float cap_[2];

  // Of the rows first_row and the one eight further of a tile, beside KV head `head`.
  __device__ __forceinline__ void read(const AttentionParams &p, i32 head, i32 first_row) {
    const KvScales<true> kv(p, head);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float of_head = 1.f;
      if (p.q_head_scales != nullptr) {
        const i32 row = first_row + 8 * half;
        of_head = __ldg(p.q_head_scales + min(head * p.group + row - divide(row, p.by_group) * p.group, p.num_qo_heads - 1));
      }
      score_[half] = p.cap_scale != 0.f ? kv.score(p) : kv.score(p) * of_head;
      cap_[half] = kv.cap(p) * of_head;
    }
  }
  __device__ __forceinline__ const float (&score(const AttentionParams &) const)[2] { return score_; }
  __device__ __forceinline__ float cap(const AttentionParams &, int half) const { return cap_[half]; }
};

}  // namespace fp

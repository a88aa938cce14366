// prefill_scales_sm90.cuh: what a thread's two rows of scores are multiplied by. With 16-bit operands that is the launch's business alone; with FP8
// it depends on the KV head, and may on the query head, i.e. on the row.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/kv_scales.cuh"

namespace fp {

// kCaps: there may be a soft cap.
template <bool kFp8, bool kCaps>
struct PrefillScales {
  __device__ __forceinline__ float score(const AttentionParams &p) const { return p.score_scale; }
  __device__ __forceinline__ float cap(const AttentionParams &p, int) const { return p.cap_scale; }
};

struct RowFactors {
  float rows[2];
  __device__ __forceinline__ float operator[](int half) const { return rows[half]; }
};

template <bool kCaps>
struct PrefillScales<true, kCaps> {
  float of_product[2];  // of q . k: the cap's factor if there is one, else that of scores

  // Of the rows first_row and the one eight further of a tile, beside KV head `head`.
  __device__ __forceinline__ void read(const AttentionParams &p, i32 head, i32 first_row) {
    const KvScales<true> kv(p, head);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      of_product[half] = kCaps && p.cap_scale != 0.f ? kv.cap(p) : kv.score(p);
      if (p.q_head_scales != nullptr) {
        const i32 row = first_row + 8 * half;
        of_product[half] *= __ldg(p.q_head_scales + min(head * p.group + row - divide(row, p.by_group) * p.group, p.num_qo_heads - 1));
      }
    }
  }
  __device__ __forceinline__ RowFactors score(const AttentionParams &p) const {
    const bool caps = kCaps && p.cap_scale != 0.f;
    return {caps ? p.score_scale : of_product[0], caps ? p.score_scale : of_product[1]};
  }
  __device__ __forceinline__ float cap(const AttentionParams &, int half) const { return of_product[half]; }
};

}  // namespace fp

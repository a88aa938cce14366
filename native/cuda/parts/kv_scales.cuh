// kv_scales.cuh: what the elements of a KV head are multiplied by, if they are FP8. It goes into what scores and sums are multiplied by anyway.
#pragma once
#include "parts/attention_params.h"
#include "parts/types.cuh"

namespace fp {

template <bool kFp8>
struct KvScales {
  __device__ __forceinline__ KvScales(const AttentionParams &, i32) {}
  __device__ __forceinline__ float score(const AttentionParams &p) const { return p.score_scale; }
  __device__ __forceinline__ float cap(const AttentionParams &p) const { return p.cap_scale; }
  __device__ __forceinline__ float value(const AttentionParams &) const { return 1.f; }
};

template <>
struct KvScales<true> {
  i32 head;  // KV head

  __device__ __forceinline__ KvScales(const AttentionParams &p, i32 kv_head) : head(min(kv_head, p.num_kv_heads - 1)) {}
  // With a soft cap, the factor of q . k is the cap's.
  __device__ __forceinline__ float score(const AttentionParams &p) const { return p.cap_scale != 0.f ? p.score_scale : p.score_scale * key(p); }
  __device__ __forceinline__ float cap(const AttentionParams &p) const { return p.cap_scale * key(p); }
  __device__ __forceinline__ float value(const AttentionParams &p) const { return p.v_head_scales == nullptr ? p.v_scale : p.v_scale * __ldg(p.v_head_scales + head); }

 private:
  __device__ __forceinline__ float key(const AttentionParams &p) const { return p.k_head_scales == nullptr ? p.k_scale : p.k_scale * __ldg(p.k_head_scales + head); }
};

}  // namespace fp

// sample_segments.cuh: the first half of sampling. Each CTA reads one segment of a row, once, and writes down what sample_pick needs to find the
// token without reading the row again: the segment's largest logit, the sum of its weights relative to that logit, and, where tokens are
// cut off, the largest logit of each group of 32.
#pragma once
#include "parts/cta_collective.cuh"
#include "parts/logits.cuh"
#include "parts/sampling_groups.cuh"
#include "parts/sampling_weight.cuh"

namespace fp {

template <typename Element>
__device__ __forceinline__ void sample_segments(const SampleParams &p) {
  using Row = LogitsRow<Element>;
  using Cta = CtaCollective<sample_segment_threads>;
  constexpr int kPacks = sample_group / kLogitsPack;
  __shared__ typename Cta::Shared shared;
  Cta cta(shared);
  const i32 row_index = static_cast<i32>(blockIdx.x / static_cast<u32>(p.num_segments));
  const u32 segment = blockIdx.x - static_cast<u32>(row_index) * static_cast<u32>(p.num_segments);
  const u32 size = p.vocab_size;
  const Row row(p.logits + row_index * p.row_bytes, size);
  const u32 begin = segment * sample_segment;
  float values[kPacks][kLogitsPack];
  if (row.is_wide() && begin + sample_segment <= size) {
    typename Row::Raw raw[kPacks];
#pragma unroll
    for (int i = 0; i < kPacks; ++i) raw[i] = row.read(begin + place_in_segment(threadIdx.x, i * kLogitsPack));
#pragma unroll
    for (int i = 0; i < kPacks; ++i) Row::unpack(raw[i], values[i]);
  } else {
#pragma unroll
    for (int i = 0; i < kPacks; ++i) row.load(begin + place_in_segment(threadIdx.x, i * kLogitsPack), values[i]);
  }
  float largest = -kInfinity;
#pragma unroll
  for (int i = 0; i < kPacks; ++i) {
#pragma unroll
    for (int j = 0; j < kLogitsPack; ++j) largest = fmaxf(largest, values[i][j]);
  }
  const i64 out = static_cast<i64>(row_index) * p.num_segments + segment;
  const SamplingRow params = p.rows[row_index];
  const u32 key = order_key(largest);
  if (params.temperature != 0.f && (cuts_by_count(params, p.vocab_size) || cuts_by_mass(params))) {
    p.group_max[out * sample_segment_threads + threadIdx.x] = key;
  }

  const u32 segment_key = cta.max(key);
  const float maximum = key_value(segment_key);
  // Those that have the largest logit look for its first place; there is one, or all of the segment is -infinity.
  u32 first = ~0u;
  if (key == segment_key) {
#pragma unroll
    for (int e = sample_group - 1; e >= 0; --e) {
      if (fmaxf(values[e / kLogitsPack][e % kLogitsPack], -kInfinity) == maximum) first = begin + place_in_segment(threadIdx.x, e);
    }
  }
  const u32 index = ~cta.max(~first);
  double mass = 0;
  if (params.temperature != 0.f) {
    const SamplingWeight weight(maximum, params.temperature);
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < kPacks; ++i) {
      float of_pack = 0.f;
#pragma unroll
      for (int j = 0; j < kLogitsPack; ++j) of_pack += weight(values[i][j]);
      sum += of_pack;
    }
    mass = cta.sum(static_cast<double>(sum));
  }
  if (threadIdx.x == 0) {
    p.segment_best[out] = rank_of(segment_key, index);
    p.segment_mass[out] = mass;
  }
}

}  // namespace fp

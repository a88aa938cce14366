// argmax.cuh: the index of each row's largest logit. A row is one CTA's, or shared by several if there are few rows; argmax_merge ends those.
#pragma once
#include "parts/cta_collective.cuh"
#include "parts/logits.cuh"
#include "parts/sampling_params.h"

namespace fp {

template <typename Element>
__device__ __forceinline__ void argmax(const ArgmaxParams &p) {
  using Row = LogitsRow<Element>;
  using Cta = CtaCollective<argmax_threads>;
  constexpr u32 kStep = argmax_threads * kLogitsPack;
  constexpr int kAhead = 4;
  __shared__ typename Cta::Shared shared;
  Cta cta(shared);
  const i32 row_index = static_cast<i32>(blockIdx.x / static_cast<u32>(p.num_parts));
  const u32 part = blockIdx.x - static_cast<u32>(row_index) * static_cast<u32>(p.num_parts);
  const u32 size = p.vocab_size;
  const Row row(p.logits + row_index * p.row_bytes, size);
  const u32 begin = part * static_cast<u32>(p.part_size);
  const u32 end = min(begin + static_cast<u32>(p.part_size), size);
  // Only the largest value and the first pack that has it are kept; the place in the pack is found at the end.
  float largest = -kInfinity;
  u32 place = begin + threadIdx.x * kLogitsPack;
  const auto take = [&](u32 first, const float(&values)[kLogitsPack]) {
    float of_pack = values[0];
#pragma unroll
    for (int j = 1; j < kLogitsPack; ++j) of_pack = fmaxf(of_pack, values[j]);
    if (of_pack > largest) {
      largest = of_pack;
      place = first;
    }
  };
  float values[kLogitsPack];
  u32 next = place;
  if (row.is_wide()) {
    for (; next + (kAhead - 1) * kStep + kLogitsPack <= end; next += kAhead * kStep) {
      typename Row::Raw raw[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) raw[i] = row.read(next + i * kStep);
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        Row::unpack(raw[i], values);
        take(next + i * kStep, values);
      }
    }
  }
#pragma unroll 1
  for (; next < end; next += kStep) {
    row.load(next, values);
    take(next, values);
  }
  u64 best = 0;
  if (place < end) {
    row.load(place, values);
    u32 index = place;
#pragma unroll
    for (int j = kLogitsPack - 1; j >= 0; --j) {
      if (fmaxf(values[j], -kInfinity) == largest) index = place + j;
    }
    best = rank_of(order_key(largest), index);
  }
  best = cta.max(best);
  if (threadIdx.x != 0) return;
  if (p.num_parts == 1) {
    p.out[row_index] = static_cast<i32>(rank_index(best));
  } else {
    p.parts[static_cast<i64>(row_index) * p.num_parts + part] = best;
  }
}

// A warp ends a row.
__device__ __forceinline__ void argmax_merge(const ArgmaxParams &p) {
  const i64 row = static_cast<i64>(blockIdx.x) * (argmax_merge_threads / 32) + threadIdx.x / 32;
  if (row >= p.num_rows) return;
  u64 best = 0;
  for (i32 i = threadIdx.x % 32; i < p.num_parts; i += 32) {
    const u64 part = p.parts[row * p.num_parts + i];
    best = part > best ? part : best;
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    const u64 other = __shfl_xor_sync(0xffffffffu, best, step);
    best = other > best ? other : best;
  }
  if (threadIdx.x % 32 == 0) p.out[row] = static_cast<i32>(rank_index(best));
}

}  // namespace fp

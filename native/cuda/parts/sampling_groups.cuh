// sampling_groups.cuh: which logits the threads of sample_segments have.
#pragma once
#include "parts/logits.cuh"
#include "parts/sampling_params.h"

namespace fp {

// Element e of group `thread` of a segment, counted from the segment's first: packs of a group are a CTA's width of packs apart.
__device__ __forceinline__ u32 place_in_segment(u32 thread, u32 e) {
  return (e / kLogitsPack * sample_segment_threads + thread) * kLogitsPack + e % kLogitsPack;
}

}  // namespace fp

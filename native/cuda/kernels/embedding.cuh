// embedding.cuh: rows of a table by id. Bytes are moved, so that one kernel serves every dtype: Raw is what moves in one access.
#pragma once
#include "parts/model_ops_params.h"
#include "parts/row_lanes.cuh"

namespace fp {

template <typename Raw>
__device__ __forceinline__ void embedding(const EmbeddingParams &p) {
  const RowPart<embedding_steps> part(p.lanes);
  if (part.row >= p.num_tokens) return;
  const i32 id = p.ids[part.row];
  const bool known = id >= 0 && id < p.vocab_size;
  const Raw *from = reinterpret_cast<const Raw *>(p.table + (known ? id : 0) * p.row_bytes);
  Raw *to = reinterpret_cast<Raw *>(p.out + part.row * p.row_bytes);
  Raw raw[embedding_steps];
#pragma unroll
  for (int i = 0; i < embedding_steps; ++i) {
    const u32 pack = part.first + i * part.step;
    raw[i] = known && pack < static_cast<u32>(p.num_packs) ? from[pack] : Raw{};
  }
#pragma unroll
  for (int i = 0; i < embedding_steps; ++i) {
    const u32 pack = part.first + i * part.step;
    if (pack < static_cast<u32>(p.num_packs)) to[pack] = raw[i];
  }
}

}  // namespace fp

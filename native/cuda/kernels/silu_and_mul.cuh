// silu_and_mul.cuh: out = silu(gate) * up, the two halves of a row of x. Memory-bound: a pack of each half is read, one is written.
#pragma once
#include "parts/model_ops_params.h"
#include "parts/pack.cuh"
#include "parts/row_lanes.cuh"
#include "ptx/math.cuh"

namespace fp {

// z / (1 + e^-z). The exponent is bounded so that the quotient of -infinity is no NaN.
__device__ __forceinline__ float silu(float z) { return z * ptx::reciprocal(1.f + expf(fminf(-z, 80.f))); }

template <typename Element, int kCount>
__device__ __forceinline__ void silu_and_mul(const SiluAndMulParams &p) {
  using P = Pack<Element, kCount>;
  const RowPart<silu_steps> part(p.lanes);
  if (part.row >= p.num_rows) return;
  const char *gate = p.x + part.row * p.x_row_bytes;
  const char *up = gate + p.up_bytes;
  char *out = p.out + part.row * p.out_row_bytes;
  typename P::Raw raw_gate[silu_steps], raw_up[silu_steps];
#pragma unroll
  for (int i = 0; i < silu_steps; ++i) {
    const u32 pack = part.first + i * part.step;
    if (pack < static_cast<u32>(p.num_packs)) {
      raw_gate[i] = P::read(gate + static_cast<i64>(pack) * P::kBytes);
      raw_up[i] = P::read(up + static_cast<i64>(pack) * P::kBytes);
    }
  }
#pragma unroll
  for (int i = 0; i < silu_steps; ++i) {
    const u32 pack = part.first + i * part.step;
    if (pack < static_cast<u32>(p.num_packs)) {
      float z[kCount], u[kCount];
      P::unpack(raw_gate[i], z);
      P::unpack(raw_up[i], u);
#pragma unroll
      for (int j = 0; j < kCount; ++j) z[j] = silu(z[j]) * u[j];
      P::write(out + static_cast<i64>(pack) * P::kBytes, P::pack(z));
    }
  }
}

}  // namespace fp

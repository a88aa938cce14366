// sm90_prefill_fp8_shared.cuh: sm90_prefill_shared.cuh for q, K and V in FP8 (e4m3): the same rings, and places where V lands before it is transposed.
#pragma once
#include "kernels/sm90_prefill_shared.cuh"
#include "parts/transpose_values_sm90.cuh"

namespace fp {

// As PrefillTraits90. SwizzledTile counts columns of 16 bits, so of half of them.
template <typename DtypeTag, int kQk, int kVo, bool kGatherRows, bool kHasFeatures>
struct PrefillFp8Traits90 : PrefillShape90<prefill_tile_fp8_sm90(kQk), kQk, kVo, kGatherRows, kHasFeatures, 56> {
  using Dtype = DtypeTag;  // of out
  using Operand = E4m3;
  static constexpr bool kFp8 = true;
  static constexpr int kStepDepth = 32;
  using QueryTile = SwizzledTile<PrefillFp8Traits90::kRows, kQk / 2>;
  using KeyTile = SwizzledTile<PrefillFp8Traits90::kTokens, kQk / 2>;
  using Transposed = TransposedValues<PrefillFp8Traits90::kTokens, kVo>;
  using ValueTile = typename Transposed::Tile;  // rows are columns of V
  using ValueRows = typename Transposed::Rows;
  static_assert(PrefillFp8Traits90::kTokens % 32 == 0);
};

template <typename Traits>
struct PrefillFp8Shared90 : PrefillShared90<Traits> {
  alignas(1024) u8 landing[Traits::kStages][Traits::ValueRows::kBytes];
  u64 landed[Traits::kStages];  // the issuer arrives

  __device__ __forceinline__ void init_barriers() {
    PrefillShared90<Traits>::init_barriers();
    for (int i = 0; i < Traits::kStages; ++i) ptx::mbarrier_init(ptx::shared_address(&landed[i]), 1);
  }
};

}  // namespace fp

// sm90_prefill_fp8_shared.cuh: sm90_prefill_shared.cuh for q, K and V in FP8 (e4m3): the same rings, and places where V lands before it is transposed.
#pragma once
#include "kernels/sm90_prefill_shared.cuh"
#include "parts/transpose_values_sm90.cuh"

namespace fp {

// As PrefillTraits90. SwizzledTile counts columns of 16 bits, so of half of them.
template <typename DtypeTag, int kQk, int kVo, bool kGatherRows, bool kHasFeatures>
struct PrefillFp8Traits90 {
  using Dtype = DtypeTag;  // of out
  using Operand = E4m3;
  static constexpr bool kFp8 = true;
  static constexpr int kStepDepth = 32;
  static constexpr PrefillTile90 kTile = prefill_tile_fp8_sm90(kQk);
  static constexpr int kDimQk = kQk;
  static constexpr int kDimVo = kVo;
  static constexpr bool kGather = kGatherRows;
  static constexpr bool kFeatures = kHasFeatures;
  static constexpr int kConsumers = kTile.consumers;
  static constexpr int kRows = prefill_rows_sm90(kTile);
  static constexpr int kTokens = kTile.kv_tile;
  static constexpr int kStages = kTile.stages;
  static constexpr int kQueryBuffers = kTile.query_buffers;
  using QueryTile = SwizzledTile<kRows, kQk / 2>;
  using KeyTile = SwizzledTile<kTokens, kQk / 2>;
  using Transposed = TransposedValues<kTokens, kVo>;
  using ValueTile = typename Transposed::Tile;  // rows are columns of V
  using ValueRows = typename Transposed::Rows;
  static constexpr int kRegistersOfLane = (kConsumers + 1) * (65536 / prefill_threads_sm90(kTile) / 8 * 8);
  static constexpr int kProducerRegisters = 56;
  static constexpr int kConsumerRegisters = (kRegistersOfLane - kProducerRegisters) / kConsumers / 8 * 8;
  static_assert(kTokens % 32 == 0);
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

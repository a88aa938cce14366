// sm90_prefill_shared.cuh: what the producer and the consumers of sm90_prefill.cuh share: compile-time choices, shared memory, barriers,
// and the units they work on.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/prefill_params_sm90.h"
#include "parts/prefill_tiles_sm90.h"
#include "ptx/address.cuh"
#include "ptx/barrier.cuh"
#include "ptx/mbarrier.cuh"
#include "ptx/tma.cuh"
#include "ptx/warpgroup.cuh"

namespace fp {

// kGather: K and V rows are fetched one by one, for pages too small for TMA boxes. kFeatures: soft cap and custom masks.
template <typename DtypeTag, int kQk, int kVo, bool kGatherRows, bool kHasFeatures>
struct PrefillTraits90 {
  using Dtype = DtypeTag;
  static constexpr PrefillTile90 kTile = prefill_tile_sm90(kQk, kVo, kGatherRows || kHasFeatures);
  static constexpr int kDimQk = kQk;
  static constexpr int kDimVo = kVo;
  static constexpr bool kGather = kGatherRows;
  static constexpr bool kFeatures = kHasFeatures;
  static constexpr int kConsumers = kTile.consumers;
  static constexpr int kRows = prefill_rows_sm90(kTile);
  static constexpr int kTokens = kTile.kv_tile;
  static constexpr int kStages = kTile.stages;
  static constexpr int kQueryBuffers = kTile.query_buffers;
  static constexpr int kColumnsQk = padded_columns(kQk);
  static constexpr int kColumnsVo = padded_columns(kVo);
  // The warpgroups share what the CTA was launched with: 65536 registers over its threads, each thread's rounded down to a multiple of 8.
  static constexpr int kRegistersOfLane = (kConsumers + 1) * (65536 / prefill_threads_sm90(kTile) / 8 * 8);
  static constexpr int kProducerRegisters = kGather ? 88 : kConsumers == 3 ? 32 : 40;
  static constexpr int kConsumerRegisters = (kRegistersOfLane - kProducerRegisters) / kConsumers / 8 * 8;
  static_assert(kTokens % 16 == 0 && kTokens % 8 == 0);
};

// A tile of rows of 128 bytes: blocks of 64 columns, one after another; chunk c of row r of a block lies at chunk c ^ (r & 7).
template <int kTileRows>
struct SwizzledTile {
  static constexpr int kBlockBytes = kTileRows * 128;
  __device__ static __forceinline__ u32 offset(u32 row, u32 chunk) {
    return chunk / 8 * kBlockBytes + row * 128 + ((chunk % 8 ^ (row & 7)) << 4);
  }
};

// One (work item, KV head); item -1: there are no more.
struct PrefillUnit {
  i32 item;
  i32 head;
};

template <typename Traits>
struct PrefillShared90 {
  u8 q[Traits::kQueryBuffers][Traits::kRows * Traits::kColumnsQk * 2];
  u8 k[Traits::kStages][Traits::kTokens * Traits::kColumnsQk * 2];
  u8 v[Traits::kStages][Traits::kTokens * Traits::kColumnsVo * 2];
  u64 q_full[Traits::kQueryBuffers];
  u64 q_empty[Traits::kQueryBuffers];
  u64 k_full[Traits::kStages];
  u64 k_empty[Traits::kStages];
  u64 v_full[Traits::kStages];
  u64 v_empty[Traits::kStages];
  u64 unit_full[2];
  u64 unit_empty[2];
  PrefillUnit units[2];

  // Who arrives: kv_full a TMA's issuer, or all gathering threads; q_full those that fetch q; empties a lane of each consumer warp.
  static constexpr u32 kConsumerWarps = Traits::kConsumers * 4;
  static constexpr u32 kQueryThreads = Traits::kGather ? 128 : 96;
  static constexpr u32 kUnitReaders = kConsumerWarps + 3;

  __device__ __forceinline__ void init_barriers() {
    const u32 kv_arrivals = Traits::kGather ? 128 : 1;
    for (int i = 0; i < Traits::kQueryBuffers; ++i) {
      ptx::mbarrier_init(ptx::shared_address(&q_full[i]), kQueryThreads);
      ptx::mbarrier_init(ptx::shared_address(&q_empty[i]), kConsumerWarps);
    }
    for (int i = 0; i < Traits::kStages; ++i) {
      ptx::mbarrier_init(ptx::shared_address(&k_full[i]), kv_arrivals);
      ptx::mbarrier_init(ptx::shared_address(&v_full[i]), kv_arrivals);
      ptx::mbarrier_init(ptx::shared_address(&k_empty[i]), kConsumerWarps);
      ptx::mbarrier_init(ptx::shared_address(&v_empty[i]), kConsumerWarps);
    }
    for (int i = 0; i < 2; ++i) {
      ptx::mbarrier_init(ptx::shared_address(&unit_full[i]), 1);
      ptx::mbarrier_init(ptx::shared_address(&unit_empty[i]), kUnitReaders);
    }
  }
};

// A position in a ring of kSlots, a power of two: which slot, and which of its phases.
template <int kSlots>
struct RingPosition {
  static_assert((kSlots & (kSlots - 1)) == 0);
  u32 count = 0;
  __device__ __forceinline__ u32 slot() const { return count % kSlots; }
  __device__ __forceinline__ u32 phase() const { return count / kSlots & 1; }
  __device__ __forceinline__ void next() { ++count; }
};

// KV tiles of a unit: tile n holds tokens n * kTokens .. of the page list. They are walked from the last to the first, since the last
// ones need masks.
template <typename Traits>
struct TileRange {
  i32 begin;
  i32 end;
  __device__ __forceinline__ explicit TileRange(const Item &item)
      : begin(item.kv_begin / Traits::kTokens), end(item.kv_end > item.kv_begin ? (item.kv_end + Traits::kTokens - 1) / Traits::kTokens : begin) {}
};

// Reads the units that the producer draws.
template <typename Traits>
class UnitReader {
 public:
  // By whole warps: all lanes get the next unit.
  __device__ __forceinline__ PrefillUnit next(PrefillShared90<Traits> &shared, u32 lane) {
    ptx::mbarrier_wait(ptx::shared_address(&shared.unit_full[position_.slot()]), position_.phase());
    const PrefillUnit unit = shared.units[position_.slot()];
    __syncwarp();
    if (lane == 0) ptx::mbarrier_arrive(ptx::shared_address(&shared.unit_empty[position_.slot()]));
    position_.next();
    return unit;
  }
  // Units read before the present one. Every unit has a filling of q, so this is the place in the ring of q too.
  __device__ __forceinline__ u32 count() const { return position_.count - 1; }

 private:
  RingPosition<2> position_;
};

}  // namespace fp

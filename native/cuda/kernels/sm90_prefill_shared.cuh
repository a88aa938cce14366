// sm90_prefill_shared.cuh: what the producer and the consumers of sm90_prefill.cuh share: compile-time choices, shared memory and barriers.
#pragma once
#include "parts/prefill_params_sm90.h"
#include "parts/prefill_tiles_sm90.h"
#include "parts/prefill_unit_sm90.cuh"
#include "parts/run_trace.cuh"
#include "parts/swizzled_tile.cuh"
#include "ptx/address.cuh"
#include "ptx/barrier.cuh"
#include "ptx/mbarrier.cuh"
#include "ptx/tma.cuh"
#include "ptx/warpgroup.cuh"

namespace fp {

// What follows from a tile's shape. kGather: K and V rows are fetched one by one, for pages too small for TMA boxes. kFeatures: soft cap and custom masks.
template <PrefillTile90 kShape, int kQk, int kVo, bool kGatherRows, bool kHasFeatures, int kRegistersOfProducer>
struct PrefillShape90 {
  static constexpr PrefillTile90 kTile = kShape;
  static constexpr int kDimQk = kQk;
  static constexpr int kDimVo = kVo;
  static constexpr bool kGather = kGatherRows;
  static constexpr bool kFeatures = kHasFeatures;
  static constexpr int kConsumers = kTile.consumers;
  static constexpr int kRows = prefill_rows_sm90(kTile);
  static constexpr int kTokens = kTile.kv_tile;
  static constexpr int kStages = kTile.stages;
  static constexpr int kQueryBuffers = kTile.query_buffers;
  // The warpgroups share what the CTA was launched with: 65536 registers over its threads, each thread's rounded down to a multiple of 8.
  static constexpr int kRegistersOfLane = (kConsumers + 1) * (65536 / prefill_threads_sm90(kTile) / 8 * 8);
  static constexpr int kProducerRegisters = kRegistersOfProducer;
  static constexpr int kConsumerRegisters = (kRegistersOfLane - kProducerRegisters) / kConsumers / 8 * 8;
};

constexpr int prefill_producer_registers(const PrefillTile90 &tile, bool gather) { return !gather ? 40 : tile.query_in_registers ? 56 : 64; }

template <typename DtypeTag, int kQk, int kVo, bool kGatherRows, bool kHasFeatures>
struct PrefillTraits90 : PrefillShape90<prefill_tile_sm90(kQk, kVo, kGatherRows, kHasFeatures), kQk, kVo, kGatherRows, kHasFeatures,
                                        prefill_producer_registers(prefill_tile_sm90(kQk, kVo, kGatherRows, kHasFeatures), kGatherRows)> {
  using Dtype = DtypeTag;    // of out
  using Operand = DtypeTag;  // of q, K and V
  static constexpr bool kFp8 = false;
  static constexpr int kStepDepth = 16;  // of a product, along its sum
  using QueryTile = SwizzledTile<PrefillTraits90::kRows, kQk>;
  using KeyTile = SwizzledTile<PrefillTraits90::kTokens, kQk>;
  using ValueTile = SwizzledTile<PrefillTraits90::kTokens, kVo>;
  using ValueRows = ValueTile;  // V as it arrives
  static_assert(PrefillTraits90::kTokens % 16 == 0);
};

// A position in a ring of kSlots: which slot, and which of its phases.
template <int kSlots>
struct RingPosition {
  u32 count = 0;
  __device__ __forceinline__ u32 slot() const { return count % kSlots; }
  __device__ __forceinline__ u32 phase() const { return count / kSlots & 1; }
  __device__ __forceinline__ void next() { ++count; }
};

// The same as a cursor, which only moves on: no division, and it fits uniform registers.
template <int kSlots>
struct RingCursor {
  u32 slot = 0;
  u32 phase = 0;
  __device__ __forceinline__ void next() {
    if (++slot == kSlots) {
      slot = 0;
      phase ^= 1;
    }
  }
  // Of the position before this one.
  __device__ __forceinline__ u32 slot_before() const { return (slot == 0 ? kSlots : slot) - 1; }
  __device__ __forceinline__ u32 phase_before() const { return slot == 0 ? phase ^ 1 : phase; }
};

template <typename Traits>
struct PrefillShared90 {
  static constexpr int kUnits = 4;  // places for them; the drawer waits for none, since it keeps only a unit or two ahead
  u8 q[Traits::kQueryBuffers][Traits::QueryTile::kBytes];
  u8 k[Traits::kStages][Traits::KeyTile::kBytes];
  u8 v[Traits::kStages][Traits::ValueTile::kBytes];
  PrefillUnit units[kUnits];
  u64 q_full[Traits::kQueryBuffers];
  u64 q_empty[Traits::kQueryBuffers];
  u64 k_full[Traits::kStages];
  u64 k_empty[Traits::kStages];
  u64 v_full[Traits::kStages];
  u64 v_empty[Traits::kStages];
  u64 unit_full[kUnits];
  u64 unit_empty[kUnits];
  TraceBegin trace_begin;

  // Who arrives: at k_full and v_full a TMA's issuer, or all gathering threads (at v_full of FP8 a lane of each warp that has transposed); at q_full those that fetch q; at unit_full the drawer; at
  // the empties a lane of each warp that reads.
  static constexpr u32 kConsumerWarps = Traits::kConsumers * 4;
  static constexpr u32 kQueryThreads = Traits::kGather ? 128 : 128 - Traits::kStages * 32;
  static constexpr u32 kUnitReaders = kConsumerWarps + 4;

  __device__ __forceinline__ void init_barriers() {
    const u32 kv_arrivals = Traits::kGather ? 128 : 1;
    const u32 v_arrivals = Traits::kGather && Traits::kFp8 ? 4 : kv_arrivals;
    for (int i = 0; i < Traits::kQueryBuffers; ++i) {
      ptx::mbarrier_init(ptx::shared_address(&q_full[i]), kQueryThreads);
      ptx::mbarrier_init(ptx::shared_address(&q_empty[i]), kConsumerWarps);
    }
    for (int i = 0; i < Traits::kStages; ++i) {
      ptx::mbarrier_init(ptx::shared_address(&k_full[i]), kv_arrivals);
      ptx::mbarrier_init(ptx::shared_address(&v_full[i]), v_arrivals);
      ptx::mbarrier_init(ptx::shared_address(&k_empty[i]), kConsumerWarps);
      ptx::mbarrier_init(ptx::shared_address(&v_empty[i]), kConsumerWarps);
    }
    for (int i = 0; i < kUnits; ++i) {
      ptx::mbarrier_init(ptx::shared_address(&unit_full[i]), 1);
      ptx::mbarrier_init(ptx::shared_address(&unit_empty[i]), kUnitReaders);
    }
  }
};

// Addresses in shared memory of those, in 32 bits, which uniform registers compute faster than C++'s 64.
template <typename Traits>
struct PrefillAddresses90 {
  using Shared = PrefillShared90<Traits>;
  u32 base;
#define FP_ADDRESS_OF(field, kSize) \
  __device__ __forceinline__ u32 field(u32 slot) const { return base + static_cast<u32>(reinterpret_cast<u64>(&static_cast<const Shared *>(nullptr)->field)) + slot * (kSize); }
  FP_ADDRESS_OF(q, Traits::QueryTile::kBytes)
  FP_ADDRESS_OF(k, Traits::KeyTile::kBytes)
  FP_ADDRESS_OF(v, Traits::ValueTile::kBytes)
  FP_ADDRESS_OF(q_full, 8)
  FP_ADDRESS_OF(q_empty, 8)
  FP_ADDRESS_OF(k_full, 8)
  FP_ADDRESS_OF(k_empty, 8)
  FP_ADDRESS_OF(v_full, 8)
  FP_ADDRESS_OF(v_empty, 8)
#undef FP_ADDRESS_OF
};

}  // namespace fp

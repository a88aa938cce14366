// sm90_prefill_fp8_producer.cuh: sm90_prefill_producer.cuh for FP8, whose values are transposed on the way (parts/transpose_values_sm90.cuh).
//
// The warp that fills a slot of the rings by TMA also transposes the slot's V, alone: it has three steps' time for it, needs no one else, and
// waits for V while it would wait for the slot of K anyway. So the transposition is spread over three of the four schedulers.
#pragma once
#include "kernels/sm90_prefill_fp8_shared.cuh"
#include "kernels/sm90_prefill_producer.cuh"

namespace fp {

template <typename Traits>
class PrefillFp8Producer90 : PrefillProducer90<Traits> {
  using Base = PrefillProducer90<Traits>;
  using Shared = PrefillFp8Shared90<Traits>;
  using Rows = typename Traits::ValueRows;
  using Transposed = typename Traits::Transposed;
  static constexpr int kTokens = Traits::kTokens;
  static constexpr int kStages = Traits::kStages;
  static constexpr int kChunksAtOnce = Transposed::kChunks > 8 ? 2 : 4;
  static constexpr u32 kGatherBarrier = 8;  // a named barrier of the gathering warps

 public:
  static __device__ __forceinline__ void run(const PrefillParams90 &p, Shared &shared) {
    if constexpr (Traits::kGather) {
      gather(p, shared);
    } else if (threadIdx.x < kStages * 32) {
      load_slot(p, shared, threadIdx.x / 32);
    } else {
      Base::bring_units(p.attention, shared);
    }
  }

 private:
  // What a page holds behind the list's last token may be NaN, and 0 x NaN is NaN: the rows of V from `tail` on become zeros.
  static __device__ __forceinline__ void clear_tail(u8 *rows, i32 tail, u32 lane) {
#pragma unroll 1
    for (u32 i = static_cast<u32>(max(tail, 0)) * Rows::kChunks + lane; i < kTokens * Rows::kChunks; i += 32) {
      *reinterpret_cast<uint4 *>(rows + Rows::offset(i / Rows::kChunks, i % Rows::kChunks)) = make_uint4(0, 0, 0, 0);
    }
    __syncwarp();
  }

  // This warp's part of V in `slot` is transposed: the matrix units may read it, and what comes next may land.
  static __device__ __forceinline__ void finish_values(Shared &shared, u32 slot, u32 lane) {
    ptx::fence_async_shared();
    __syncwarp();
    if (lane == 0) ptx::mbarrier_arrive(ptx::shared_address(&shared.v_full[slot]));
  }

  // Fills one slot of both rings.
  static __device__ __forceinline__ void load_slot(const PrefillParams90 &params, Shared &shared, u32 slot) {
    const u32 lane = threadIdx.x % 32;
    Base::for_tiles_of_slot(params, shared, slot, lane, [&](const PrefillUnit &unit, i32 tile, const auto &box, u32 phase) {
      // This warp has transposed what lay there.
      Base::template issue_boxes<Rows>(params, params.v_map, params.v_places_of_page, box, unit.head, ptx::shared_address(&shared.landing[slot]),
                                       ptx::shared_address(&shared.landed[slot]), lane);
      Base::load_keys(params, shared, unit, box, slot, phase, lane);
      ptx::mbarrier_wait(ptx::shared_address(&shared.landed[slot]), phase ^ 1);
      if (tile == unit.tiles.first && unit.tail < kTokens) clear_tail(shared.landing[slot], unit.tail, lane);
      ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[slot]), phase);
      Transposed::template transpose<Transposed::kChunks, kChunksAtOnce>(ptx::shared_address(&shared.landing[slot]), ptx::shared_address(&shared.v[slot]), 0, lane);
      finish_values(shared, slot, lane);
    });
  }

  // ---- rows by cp.async ----

  using KvPosition = typename Base::KvPosition;
  using QueryPosition = typename Base::QueryPosition;
  static constexpr int kChunksOfWarp = Transposed::kChunks / 4;

  // Transposes V number `count` of the stream, by all four warps: each waits for its rows, and then has columns of all of them.
  template <int kPendingCopies>
  static __device__ __forceinline__ void transpose_gathered(Shared &shared, u32 count) {
    const KvPosition v{count};
    ptx::cp_async_wait<kPendingCopies>();
    // Besides, no one is still at the V before this one, whose place is filled again after the next.
    ptx::named_barrier<128>(kGatherBarrier);
    ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
    Transposed::template transpose<kChunksOfWarp, kChunksOfWarp < 2 ? 1 : 2>(ptx::shared_address(&shared.landing[v.slot()]), ptx::shared_address(&shared.v[v.slot()]),
                                                  threadIdx.x / 32 * kChunksOfWarp, threadIdx.x % 32);
    finish_values(shared, v.slot(), threadIdx.x % 32);
  }

  // As PrefillProducer90::gather; a tile's V is transposed when the next tile's copies have been issued, and before q is waited for: q may come
  // only when V has been used.
  static __device__ __forceinline__ void gather(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x;
    UnitDrawer<Traits> drawer;
    UnitReader<Traits> reader;
    KvPosition k;
    bool has_landing = false;  // V number k.count - 1, which is the last that was asked for, is not transposed
    if (thread < 32) drawer.publish(p, shared, 0);
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) break;
      const PrefillTiles tiles = unit.tiles;
      i32 page = Base::ask_page(p, unit, tiles.first);
      i32 page_before = -1;
      for (i32 tile = tiles.first; tile >= tiles.last - 1; --tile) {
        const i32 page_after = Base::ask_page(p, unit, tile - 1);
        if (tile >= tiles.last) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          Base::template gather_rows<typename Traits::KeyTile>(p, p.k, unit.head * p.k_head_bytes, p.k_page_bytes, p.k_token_bytes, page, tile,
                                                               ptx::shared_address(&shared.k[k.slot()]));
          ptx::cp_async_arrive(ptx::shared_address(&shared.k_full[k.slot()]));
        }
        ptx::cp_async_commit();
        if (has_landing) transpose_gathered<1>(shared, k.count - (tile < tiles.first ? 2 : 1));
        has_landing = false;
        // An empty unit has q too: the consumers count on it.
        if (tile == tiles.first) {
          // Once a unit: its addresses are not to be kept in registers through the loop.
          u32 index = reader.index();
          asm volatile("" : "+r"(index));
          const QueryPosition q{index};
          ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
          Base::copy_queries(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
          if (thread < 32) drawer.publish(p, shared, index + 1);
        } else {
          const KvPosition v{k.count - 1};
          Base::template gather_rows<Rows>(p, p.v, unit.head * p.v_head_bytes, p.v_page_bytes, p.v_token_bytes, page_before, tile + 1,
                                           ptx::shared_address(&shared.landing[v.slot()]));
          ptx::cp_async_commit();
          has_landing = true;
        }
        page_before = page;
        page = page_after;
        k.next();
      }
      --k.count;
      reader.release(shared, unit, thread % 32);
    }
    if (has_landing) transpose_gathered<0>(shared, k.count - 1);
  }
};

}  // namespace fp

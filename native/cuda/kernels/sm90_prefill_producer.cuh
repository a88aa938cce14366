// sm90_prefill_producer.cuh: the warpgroup that fetches. Where boxes of TMA serve, one warp for each slot of the rings of K and V fills it,
// and the warps left draw units and copy q, whose rows may lie anywhere. Where pages are too small for boxes, all four warps copy rows of
// K, V and q. Either way the work is spread: each warp shares its scheduler with a warp of each consumer group, and a group is as fast as
// its slowest warp.
#pragma once
#include "kernels/sm90_prefill_units.cuh"
#include "ptx/cp_async.cuh"

namespace fp {

template <typename Traits>
class PrefillProducer90 {
 protected:
  using Shared = PrefillShared90<Traits>;
  static constexpr int kTokens = Traits::kTokens;
  static constexpr int kStages = Traits::kStages;
  using KvPosition = RingPosition<kStages>;
  using QueryPosition = RingPosition<Traits::kQueryBuffers>;
  static constexpr int kQueryThreads = Shared::kQueryThreads;
  static_assert(Traits::kGather || kStages < 4);

 public:
  static __device__ __forceinline__ void run(const PrefillParams90 &p, Shared &shared) {
    if constexpr (Traits::kGather) {
      gather(p, shared);
    } else if (threadIdx.x < kStages * 32) {
      load_slot(p, shared, threadIdx.x / 32);
    } else {
      bring_units(p.attention, shared);
    }
  }

 protected:
  // ---- K and V by TMA ----

  static __device__ __forceinline__ i32 page_at(const AttentionParams &p, i32 page_begin, i32 token) {
    return __ldg(p.kv_indices + min(static_cast<u32>(page_begin + divide(token, p.by_page)), static_cast<u32>(p.num_kv_indices - 1)));
  }
  static __device__ __forceinline__ i32 slot_at(const AttentionParams &p, i32 token) {
    return token - divide(token, p.by_page) * static_cast<i32>(p.by_page.divisor);
  }

  // A box of a lane: its page, and which row group of the page it begins with.
  struct LaneBox {
    i32 page;  // -1: no token of the range lies in it, so it becomes zeros; behind the last page the page table may say anything
    i32 group;
  };

  // Lane i asks for box i of a tile.
  static __device__ __forceinline__ LaneBox ask_box(const PrefillParams90 &params, const PrefillUnit &unit, i32 tile, u32 lane) {
    const AttentionParams &p = params.attention;
    const i32 in_tile = static_cast<i32>(lane) * params.box_tokens;
    const i32 token = tile * kTokens + in_tile;
    LaneBox box{-1, 0};
    if (in_tile < kTokens && token < unit.kv_end && token + params.box_tokens > unit.kv_begin) {
      box.page = page_at(p, unit.page_begin, token);
      box.group = slot_at(p, token) / 8;
    }
    return box;
  }

  template <typename Tile>
  static __device__ __forceinline__ void issue_boxes(const PrefillParams90 &params, const ptx::TensorMap &map, i32 places_of_page, const LaneBox &box, i32 head, u32 target,
                                                     u32 full, u32 lane) {
    if (lane == 0) ptx::mbarrier_arrive_expect(full, Tile::kBytes);
    __syncwarp();
    const i32 in_tile = static_cast<i32>(lane) * params.box_tokens;
    if (in_tile >= kTokens) return;
    const bool exists = static_cast<u32>(box.page) < static_cast<u32>(params.attention.num_pages);
    ptx::tma_load_5d(target + in_tile / 8 * Tile::kGroupBytes, map, 0, 0, 0, box.group, exists ? box.page * places_of_page + head : params.num_places, full);
  }

  // Calls fill(unit, tile, box, phase) for the tiles of one slot of the rings: every kStages-th of the stream of all units' tiles. phase: of its `empty` barriers
  // that is waited for.
  template <typename Fill>
  static __device__ __forceinline__ void for_tiles_of_slot(const PrefillParams90 &params, Shared &shared, u32 slot, u32 lane, const Fill &fill) {
    if (slot == 0 && lane == 0) {
      ptx::tma_prefetch(params.k_map);
      ptx::tma_prefetch(params.v_map);
    }
    UnitReader<Traits> reader;
    u32 phase = 1;
    i32 skip = static_cast<i32>(slot);  // tiles of the unit till the first for this slot
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) break;
      const PrefillTiles tiles = unit.tiles;
      i32 tile = tiles.first - skip;
      for (; tile >= tiles.last; tile -= kStages) {
        fill(unit, tile, ask_box(params, unit, tile, lane), phase);
        phase ^= 1;
      }
      skip = tiles.last - 1 - tile;
      reader.release(shared, unit, lane);
    }
    // The CTA must not end while copies are under way; the consumers have waited for them all.
  }

  // K of a tile into its slot, once that is free.
  static __device__ __forceinline__ void load_keys(const PrefillParams90 &params, Shared &shared, const PrefillUnit &unit, const LaneBox &box, u32 slot, u32 phase, u32 lane) {
    ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[slot]), phase);
    issue_boxes<typename Traits::KeyTile>(params, params.k_map, params.k_places_of_page, box, unit.head, ptx::shared_address(&shared.k[slot]),
                                          ptx::shared_address(&shared.k_full[slot]), lane);
  }

  // Fills one slot of both rings.
  static __device__ __forceinline__ void load_slot(const PrefillParams90 &params, Shared &shared, u32 slot) {
    const u32 lane = threadIdx.x % 32;
    for_tiles_of_slot(params, shared, slot, lane, [&](const PrefillUnit &unit, i32, const LaneBox &box, u32 phase) {
      load_keys(params, shared, unit, box, slot, phase, lane);
      ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[slot]), phase);
      issue_boxes<typename Traits::ValueRows>(params, params.v_map, params.v_places_of_page, box, unit.head, ptx::shared_address(&shared.v[slot]),
                                              ptx::shared_address(&shared.v_full[slot]), lane);
    });
  }

  // ---- rows by cp.async ----

  // Rows are copied by warps, kLanes lanes a row. A lane looks up the place of one row and tells the others.
  static constexpr int kRowsOfWarp = kTokens / 4;  // of a tile of K or V
  static constexpr int kLanes = Traits::KeyTile::kBlockChunks;
  static constexpr int kRowsAtOnce = 32 / kLanes;
  static_assert(Traits::KeyTile::kBlockChunks == Traits::ValueRows::kBlockChunks && Traits::KeyTile::kBlockChunks == Traits::QueryTile::kBlockChunks);
  static_assert(kRowsOfWarp <= 32 && kRowsOfWarp % 4 == 0 && kTokens % 4 == 0);

  // Starts the copy of kRows rows, to the tile's rows from `row` on. This lane's row lies `place` times 16 bytes behind `base`, and exists if
  // its bit of `existing` says so; rows that do not become zeros. kAllExist: all do. kUnroll: how many turns at a time, as registers allow.
  template <typename Tile, int kRows, int kUnroll, bool kAllExist>
  static __device__ __forceinline__ void copy_rows(const char *base, u32 place, u32 existing, u32 target, u32 row) {
    const u32 lane = threadIdx.x % 32;
    const u32 in_row = lane / kLanes;
    base += lane % kLanes * 16;
    asm volatile("" : "+l"(base));  // one sum now, rather than two for each row
    // Eight rows further on, the swizzle is the same.
    const u32 even = target + Tile::offset(row + in_row, lane % kLanes);
    const u32 odd = target + Tile::offset(row + in_row + kRowsAtOnce, lane % kLanes);
#pragma unroll kUnroll
    for (int i = 0; i < kRows; i += kRowsAtOnce) {
      const int of_lane = i + static_cast<int>(in_row);
      const char *source = base + static_cast<u64>(__shfl_sync(0xffffffffu, place, of_lane)) * 16;
      if (kRows % kRowsAtOnce != 0 && of_lane >= kRows) break;
      const u32 row_target = (i / kRowsAtOnce % (8 / kRowsAtOnce) == 0 ? even : odd) + i / 8 * Tile::kGroupBytes;
#pragma unroll
      for (int block = 0; block < Tile::kBlocks; ++block) {
        if constexpr (kAllExist) {
          ptx::cp_async_16(row_target + block * Tile::kBlockBytes, source + block * Tile::kRowBytes);
        } else {
          ptx::cp_async_16_or_zero(row_target + block * Tile::kBlockBytes, source + block * Tile::kRowBytes, existing >> of_lane & 1);
        }
      }
    }
  }

  // Starts the copy of a unit's rows of q, by kQueryThreads threads. Rows past the tile become zeros.
  static __device__ __forceinline__ void copy_queries(const AttentionParams &p, const PrefillUnit &unit, u32 target, u32 thread) {
    const TileRows rows = unit.rows();
#pragma unroll 1
    for (u32 row = thread / 32 * 32; row < Traits::kRows; row += kQueryThreads) {
      const i32 of_lane = static_cast<i32>(row + thread % 32);
      const i32 token_of_tile = divide(of_lane, p.by_group);
      const i32 token = of_lane < rows.num_rows(p) ? rows.token(p, token_of_tile) : -1;
      const i32 head = unit.head * p.group + of_lane - token_of_tile * p.group;
      const u32 place = token >= 0 ? static_cast<u32>(static_cast<u64>(token * p.q_token_bytes + head * p.q_head_bytes) >> 4) : 0;
      copy_rows<typename Traits::QueryTile, 32, 1, false>(p.q, place, __ballot_sync(0xffffffffu, token >= 0), target, row);
    }
  }

  // Draws units, a unit ahead of the copies of q. By the last of these warps; all of them copy.
  static __device__ __forceinline__ void bring_units(const AttentionParams &p, Shared &shared) {
    const u32 lane = threadIdx.x % 32;
    const u32 thread = threadIdx.x - (128 - kQueryThreads);
    const bool draws = threadIdx.x >= 96;
    UnitDrawer<Traits> drawer;
    UnitReader<Traits> reader;
    bool more = draws && drawer.publish(p, shared, 0);
    for (;;) {
      const PrefillUnit &unit = reader.template next<true>(shared);
      if (unit.item < 0) break;
      const QueryPosition q{reader.index()};
      ptx::mbarrier_wait_asleep(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
      copy_queries(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
      reader.release(shared, unit, lane);
      ptx::cp_async_commit();
      ptx::cp_async_wait<0>();
      ptx::fence_async_shared();
      ptx::mbarrier_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
      if (more) more = drawer.publish(p, shared, reader.index() + 1);
    }
  }

  // The page of this lane's row, as the page table says; -1: its token is outside of the range. Not to be looked at before it is used: it is
  // still on its way.
  static __device__ __forceinline__ i32 ask_page(const AttentionParams &p, const PrefillUnit &unit, i32 tile) {
    const i32 token = tile * kTokens + static_cast<i32>(threadIdx.x / 32 * kRowsOfWarp + threadIdx.x % 32);
    return token >= unit.kv_begin && token < unit.kv_end ? page_at(p, unit.page_begin, token) : -1;
  }

  // Starts the copy of one tile of K or V. Rows without a page become zeros.
  template <typename Tile>
  static __device__ __forceinline__ void gather_rows(const AttentionParams &p, const char *base, i64 head_bytes, u32 page_bytes, u32 token_bytes, i32 page, i32 tile,
                                                     u32 target) {
    const u32 row = threadIdx.x / 32 * kRowsOfWarp;
    const i32 token = tile * kTokens + static_cast<i32>(row + threadIdx.x % 32);
    const bool exists = static_cast<u32>(page) < static_cast<u32>(p.num_pages);
    const u64 bytes = static_cast<u64>(exists ? static_cast<u32>(page) : 0) * page_bytes + static_cast<u64>(static_cast<u32>(slot_at(p, token))) * token_bytes;
    const u32 place = static_cast<u32>(bytes >> 4);
    const u32 existing = __ballot_sync(0xffffffffu, exists || threadIdx.x % 32 >= kRowsOfWarp);
    base += head_bytes;
    if (existing == 0xffffffffu) {
      copy_rows<Tile, kRowsOfWarp, Traits::kFp8 ? 4 : 8, true>(base, place, existing, target, row);
    } else {
      copy_rows<Tile, kRowsOfWarp, 1, false>(base, place, existing, target, row);
    }
  }

  // The barriers learn of the copies' end from the copies; the consumers fence them (PrefillConsumer90::await).
  static __device__ __forceinline__ void gather(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x;
    const u32 lane = thread % 32;
    UnitDrawer<Traits> drawer;
    UnitReader<Traits> reader;
    KvPosition k;
    if (thread < 32) drawer.publish(p, shared, 0);
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) break;
      const PrefillTiles tiles = unit.tiles;
      i32 page = ask_page(p, unit, tiles.first);
      i32 page_before = -1;
      for (i32 tile = tiles.first; tile >= tiles.last - 1; --tile) {
        const i32 page_after = ask_page(p, unit, tile - 1);
        if (tile >= tiles.last) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          gather_rows<typename Traits::KeyTile>(p, p.k, unit.head * p.k_head_bytes, p.k_page_bytes, p.k_token_bytes, page, tile, ptx::shared_address(&shared.k[k.slot()]));
          ptx::cp_async_arrive(ptx::shared_address(&shared.k_full[k.slot()]));
        }
        // An empty unit has q too: the consumers count on it.
        if (tile == tiles.first) {
          const QueryPosition q{reader.index()};
          ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
          copy_queries(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
          if (thread < 32) drawer.publish(p, shared, reader.index() + 1);
        }
        if (tile < tiles.first) {
          const KvPosition v{k.count - 1};
          ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
          gather_rows<typename Traits::ValueRows>(p, p.v, unit.head * p.v_head_bytes, p.v_page_bytes, p.v_token_bytes, page_before, tile + 1,
                                                  ptx::shared_address(&shared.v[v.slot()]));
          ptx::cp_async_arrive(ptx::shared_address(&shared.v_full[v.slot()]));
        }
        page_before = page;
        page = page_after;
        k.next();
      }
      --k.count;
      reader.release(shared, unit, lane);
    }
    // Copies may be under way when this thread ends: the consumers wait for them all, and the CTA for the consumers.
  }
};

}  // namespace fp

// sm90_prefill_producer.cuh: the warpgroup that fetches. With TMA, warp 0 issues K and V boxes, warp 1 draws units, and the other
// two copy q, whose rows may lie anywhere. Where pages are too small for boxes, all four warps copy rows of K, V and q.
#pragma once
#include "kernels/sm90_prefill_units.cuh"
#include "ptx/cp_async.cuh"

namespace fp {

template <typename Traits>
class PrefillProducer90 {
  using Shared = PrefillShared90<Traits>;
  static constexpr int kTokens = Traits::kTokens;
  static constexpr int kStages = Traits::kStages;
  using KvPosition = RingPosition<kStages>;
  using QueryPosition = RingPosition<Traits::kQueryBuffers>;

 public:
  static __device__ __forceinline__ void run(const PrefillParams90 &p, Shared &shared) {
    if constexpr (Traits::kGather) {
      gather(p, shared);
    } else if (threadIdx.x < 32) {
      load_boxes(p, shared);
    } else if (threadIdx.x < 64) {
      draw_units(p.attention, shared);
    } else {
      copy_queries(p, shared);
    }
  }

 private:
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

  static __device__ __forceinline__ void load_boxes(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 lane = threadIdx.x % 32;
    if (lane == 0) {
      ptx::tma_prefetch(params.k_map);
      ptx::tma_prefetch(params.v_map);
    }
    UnitReader<Traits> reader;
    KvPosition k;
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) break;
      const TileRange<Traits> tiles(unit);
      LaneBox box = ask_box(params, unit, tiles.end - 1, lane);
      // V follows K a tile behind, in the order in which they are used: one turn more than there are tiles.
      for (i32 tile = tiles.end - 1; tile >= tiles.begin - 1; --tile) {
        if (tile >= tiles.begin) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          issue_boxes<typename Traits::KeyTile>(params, params.k_map, params.k_places_of_page, box, unit.head, ptx::shared_address(&shared.k[k.slot()]),
                                                ptx::shared_address(&shared.k_full[k.slot()]), lane);
        }
        if (tile < tiles.end - 1) {
          const KvPosition v{k.count - 1};
          // Its page ids were read a tile ago, so they are in L1.
          box = ask_box(params, unit, tile + 1, lane);
          ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
          issue_boxes<typename Traits::ValueTile>(params, params.v_map, params.v_places_of_page, box, unit.head, ptx::shared_address(&shared.v[v.slot()]),
                                                  ptx::shared_address(&shared.v_full[v.slot()]), lane);
        }
        if (tile > tiles.begin) box = ask_box(params, unit, tile - 1, lane);
        k.next();
      }
      --k.count;
      reader.release(shared, unit, lane);
    }
    // The CTA must not end while copies are under way; the consumers have waited for them all.
  }

  // ---- rows by cp.async ----

  // Rows of q for a unit, by kThreads threads of the producer. Rows past the tile become zeros.
  template <int kThreads>
  static __device__ __forceinline__ void copy_query_rows(const AttentionParams &p, const PrefillUnit &unit, u32 target, u32 thread) {
    using Tile = typename Traits::QueryTile;
    const TileRows rows = unit.rows();
    const i32 num_rows = rows.num_rows(p);
#pragma unroll 1
    for (u32 i = thread; i < Traits::kRows * Tile::kChunks; i += kThreads) {
      const u32 row = i / Tile::kChunks;
      const u32 chunk = i % Tile::kChunks;
      const i32 token_of_tile = divide(row, p.by_group);
      const i32 token = static_cast<i32>(row) < num_rows ? rows.token(p, token_of_tile) : -1;
      const i32 qo_head = unit.head * p.group + static_cast<i32>(row) - token_of_tile * p.group;
      const char *source = p.q + (token >= 0 ? token * p.q_token_bytes + qo_head * p.q_head_bytes + chunk * 16 : 0);
      ptx::cp_async_16_or_zero(target + Tile::offset(row, chunk), source, token >= 0);
    }
  }

  static __device__ __forceinline__ void draw_units(const AttentionParams &p, Shared &shared) {
    UnitDrawer<Traits> drawer(threadIdx.x % 32);
    for (u32 index = 0; drawer.publish(p, shared, index);) ++index;
  }

  static __device__ __forceinline__ void copy_queries(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x - 64;
    UnitReader<Traits> reader;
    for (;;) {
      const PrefillUnit &unit = reader.template next<true>(shared);
      if (unit.item < 0) break;
      const QueryPosition q{reader.index()};
      ptx::mbarrier_wait_asleep(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
      copy_query_rows<64>(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
      reader.release(shared, unit, thread % 32);
      ptx::cp_async_commit();
      ptx::cp_async_wait<0>();
      ptx::fence_async_shared();
      ptx::mbarrier_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
    }
  }

  // Each warp copies a quarter of a tile's rows, kLanes lanes a row. A lane looks up the place of one row and tells the others.
  static constexpr int kRowsOfWarp = kTokens / 4;
  static constexpr int kLanes = Traits::KeyTile::kBlockChunks;
  static constexpr int kRowsAtOnce = 32 / kLanes;
  static_assert(Traits::KeyTile::kBlockChunks == Traits::ValueTile::kBlockChunks);
  static_assert(kRowsOfWarp <= 32 && kRowsOfWarp % 4 == 0 && kTokens % 4 == 0);

  // The page of this lane's row; -1: its token is outside of the range, or the page outside of the cache.
  static __device__ __forceinline__ i32 ask_page(const AttentionParams &p, const PrefillUnit &unit, i32 tile) {
    const i32 token = tile * kTokens + static_cast<i32>(threadIdx.x / 32 * kRowsOfWarp + threadIdx.x % 32);
    if (token >= unit.kv_end || token < unit.kv_begin) return -1;
    const i32 page = page_at(p, unit.page_begin, token);
    return static_cast<u32>(page) < static_cast<u32>(p.num_pages) ? page : -1;
  }

  // Starts the copy of one tile of K or V. Rows without a page become zeros.
  template <typename Tile>
  static __device__ __forceinline__ void gather_rows(const AttentionParams &p, const char *base, u32 page_bytes, u32 token_bytes, i32 page, i32 tile, u32 target) {
    const u32 lane = threadIdx.x % 32;
    const u32 row = threadIdx.x / 32 * kRowsOfWarp;
    const i32 token = tile * kTokens + static_cast<i32>(row + lane);
    const u64 place = static_cast<u64>(max(page, 0)) * page_bytes + static_cast<u64>(slot_at(p, token)) * token_bytes;
    const u32 valid_rows = __ballot_sync(0xffffffffu, page >= 0);
    const u32 in_row = lane / kLanes;
    base += lane % kLanes * 16;
    // Eight rows further on, the swizzle is the same.
    const u32 even = target + Tile::offset(row + in_row, lane % kLanes);
    const u32 odd = target + Tile::offset(row + in_row + kRowsAtOnce, lane % kLanes);
#pragma unroll
    for (int i = 0; i < kRowsOfWarp; i += kRowsAtOnce) {
      const int from = i + static_cast<int>(in_row);
      const u32 low = __shfl_sync(0xffffffffu, static_cast<u32>(place), from);
      const u32 high = __shfl_sync(0xffffffffu, static_cast<u32>(place >> 32), from);
      if (kRowsOfWarp % kRowsAtOnce != 0 && from >= kRowsOfWarp) break;
      const bool valid = valid_rows >> from & 1;
      const char *source = base + (static_cast<u64>(high) << 32 | low);
      const u32 row_target = (i / kRowsAtOnce % (8 / kRowsAtOnce) == 0 ? even : odd) + i / 8 * Tile::kGroupBytes;
#pragma unroll
      for (int block = 0; block < Tile::kBlocks; ++block) {
        ptx::cp_async_16_or_zero(row_target + block * Tile::kBlockBytes, source + block * Tile::kRowBytes, valid);
      }
    }
  }

  // The barriers learn of the copies' end from the copies; the consumers fence them (PrefillConsumer90::await).
  static __device__ __forceinline__ void gather(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x;
    const u32 lane = thread % 32;
    UnitDrawer<Traits> drawer(lane);
    UnitReader<Traits> reader;
    KvPosition k;
    if (thread < 32) drawer.publish(p, shared, 0);
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) break;
      const TileRange<Traits> tiles(unit);
      i32 page = ask_page(p, unit, tiles.end - 1);
      for (i32 tile = tiles.end - 1; tile >= tiles.begin - 1; --tile) {
        if (tile >= tiles.begin) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          gather_rows<typename Traits::KeyTile>(p, p.k + unit.head * p.k_head_bytes, p.k_page_bytes, p.k_token_bytes, page, tile, ptx::shared_address(&shared.k[k.slot()]));
          ptx::cp_async_arrive(ptx::shared_address(&shared.k_full[k.slot()]));
        }
        // An empty unit has q too: the consumers count on it.
        if (tile == tiles.end - 1) {
          const QueryPosition q{reader.index()};
          ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
          copy_query_rows<128>(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
          if (thread < 32) drawer.publish(p, shared, reader.index() + 1);
        }
        if (tile < tiles.end - 1) {
          const KvPosition v{k.count - 1};
          // Read a tile ago, so in L1.
          page = ask_page(p, unit, tile + 1);
          ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
          gather_rows<typename Traits::ValueTile>(p, p.v + unit.head * p.v_head_bytes, p.v_page_bytes, p.v_token_bytes, page, tile + 1,
                                                  ptx::shared_address(&shared.v[v.slot()]));
          ptx::cp_async_arrive(ptx::shared_address(&shared.v_full[v.slot()]));
        }
        page = ask_page(p, unit, tile - 1);
        k.next();
      }
      --k.count;
      reader.release(shared, unit, lane);
    }
    // Copies may be under way when this thread ends: the consumers wait for them all, and the CTA for the consumers.
  }
};

}  // namespace fp

// sm90_prefill_producer.cuh: the warpgroup that fetches. With TMA, warp 0 draws units and issues K and V boxes, and the other three
// warps copy q, whose rows may lie anywhere. Where pages are too small for boxes, all four warps copy rows of K, V and q.
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
    UnitDrawer<Traits> drawer(lane);
    KvPosition k;
    for (;;) {
      const PrefillUnit &unit = drawer.next(p, shared);
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

  static __device__ __forceinline__ void copy_queries(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x - 32;
    UnitReader<Traits> reader;
    QueryPosition q;
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) break;
      ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
      copy_query_rows<96>(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
      reader.release(shared, reader.index(), thread % 32);
      ptx::cp_async_commit();
      ptx::cp_async_wait<0>();
      ptx::fence_async_shared();
      ptx::mbarrier_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
      q.next();
    }
  }

  // The rows of a tile that a thread copies chunks of: kLanes threads a row.
  static constexpr int kLanes = Traits::KeyTile::kBlockChunks;
  static constexpr int kRowStep = 128 / kLanes;
  static constexpr int kRowsOfThread = (kTokens + kRowStep - 1) / kRowStep;
  static_assert(Traits::KeyTile::kBlockChunks == Traits::ValueTile::kBlockChunks);
  struct RowPages {
    u32 page[kRowsOfThread];
  };

  static __device__ __forceinline__ bool exists(const PrefillUnit &unit, i32 token) { return token < unit.kv_end && token >= unit.kv_begin; }

  static __device__ __forceinline__ void ask_pages(RowPages &pages, const AttentionParams &p, const PrefillUnit &unit, i32 tile, u32 thread) {
    const i32 first = tile * kTokens + static_cast<i32>(thread / kLanes);
#pragma unroll
    for (int i = 0; i < kRowsOfThread; ++i) {
      const i32 token = first + i * kRowStep;
      pages.page[i] = exists(unit, token) ? page_at(p, unit.page_begin, token) : 0;
    }
  }

  // Starts the copy of one tile of K or V. Tokens outside of the range become zeros.
  template <typename Tile>
  static __device__ __forceinline__ void gather_rows(const AttentionParams &p, const char *base, u32 page_bytes, u32 token_bytes, const RowPages &pages, const PrefillUnit &unit,
                                                     i32 tile, u32 target, u32 thread) {
    const u32 row = thread / kLanes;
    const u32 column = thread % kLanes;
    const i32 first = tile * kTokens + static_cast<i32>(row);
    // Rows a multiple of 8 apart have the same swizzle.
    static_assert(kRowStep % 8 == 0);
    target += Tile::offset(row, column);
    base += column * 16;
#pragma unroll
    for (int i = 0; i < kRowsOfThread; ++i) {
      const i32 token = first + i * kRowStep;
      if (kTokens % kRowStep != 0 && row + i * kRowStep >= kTokens) break;
      const bool valid = exists(unit, token);
      const u32 page = min(pages.page[i], static_cast<u32>(p.num_pages - 1));
      const char *source = base + static_cast<u64>(page) * page_bytes + static_cast<u64>(slot_at(p, token)) * token_bytes;
#pragma unroll
      for (int block = 0; block < Tile::kBlocks; ++block) {
        ptx::cp_async_16_or_zero(target + i * (kRowStep / 8) * Tile::kGroupBytes + block * Tile::kBlockBytes, valid ? source + block * Tile::kRowBytes : p.k, valid);
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
    KvPosition k, v;
    QueryPosition q;
    for (;;) {
      const PrefillUnit &unit = thread < 32 ? drawer.next(p, shared) : reader.next(shared);
      if (unit.item < 0) break;
      const TileRange<Traits> tiles(unit);
      const char *k_base = p.k + unit.head * p.k_head_bytes;
      const char *v_base = p.v + unit.head * p.v_head_bytes;
      RowPages pages;
      ask_pages(pages, p, unit, tiles.end - 1, thread);
      for (i32 tile = tiles.end - 1; tile >= tiles.begin - 1; --tile) {
        if (tile >= tiles.begin) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          gather_rows<typename Traits::KeyTile>(p, k_base, p.k_page_bytes, p.k_token_bytes, pages, unit, tile, ptx::shared_address(&shared.k[k.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.k_full[k.slot()]));
          k.next();
        }
        // An empty unit has q too: the consumers count on it.
        if (tile == tiles.end - 1) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
          copy_query_rows<128>(p, unit, ptx::shared_address(&shared.q[q.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
          q.next();
        }
        if (tile < tiles.end - 1) {
          // Their pages were asked for a tile ago, so they are in L1.
          ask_pages(pages, p, unit, tile + 1, thread);
          ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
          gather_rows<typename Traits::ValueTile>(p, v_base, p.v_page_bytes, p.v_token_bytes, pages, unit, tile + 1, ptx::shared_address(&shared.v[v.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.v_full[v.slot()]));
          v.next();
        }
        if (tile > tiles.begin) ask_pages(pages, p, unit, tile - 1, thread);
      }
      if (thread >= 32) reader.release(shared, reader.index(), lane);
    }
    ptx::cp_async_wait<0>();
  }
};

}  // namespace fp

// sm90_prefill_producer.cuh: the warpgroup that fetches. With TMA, warp 0 draws units and issues K and V boxes, and the other three
// warps copy q, whose rows may lie anywhere. Where pages are too small for boxes, all four warps copy rows of K, V and q.
#pragma once
#include "kernels/sm90_prefill_shared.cuh"
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
  // Draws units and hands them out. By warp 0.
  class UnitDrawer {
   public:
    __device__ __forceinline__ UnitDrawer(const AttentionParams &p, u32 lane) : lane_(lane) {
      const i32 num_items = max(min(__ldg(&p.header->num_work_items), p.max_work_items), 0);
      num_whole_ = max(min(__ldg(&p.header->num_queued_items), num_items), 0);
      num_pieces_ = max(min(__ldg(&p.header->num_queued_pieces), num_items - num_whole_), 0);
      first_item_ = num_items - num_whole_ - num_pieces_;
      num_units_ = num_pieces_ + num_whole_ * p.num_kv_heads;
      drawn_ = static_cast<i32>(blockIdx.x);
      if (drawn_ < num_units_) fetch(p);
    }

    // Publishes the next unit, and draws the one after it meanwhile.
    __device__ __forceinline__ PrefillUnit next(const AttentionParams &p, Shared &shared) {
      PrefillUnit unit{-1, 0};
      const bool more = drawn_ < num_units_;
      if (more && drawn_ < num_pieces_) {
        unit.item = first_item_ + drawn_;
        unit.head = min(max(__ldg(&p.work[unit.item].kv_head_begin), 0), p.num_kv_heads - 1);
      } else if (more) {
        unit.head = (drawn_ - num_pieces_) / num_whole_;
        unit.item = first_item_ + drawn_ - unit.head * num_whole_;
      }
      ptx::mbarrier_wait(ptx::shared_address(&shared.unit_empty[position_.slot()]), position_.phase() ^ 1);
      if (lane_ == 0) {
        shared.units[position_.slot()] = unit;
        ptx::mbarrier_arrive(ptx::shared_address(&shared.unit_full[position_.slot()]));
      }
      position_.next();
      if (more) {
        drawn_ = __shfl_sync(0xffffffffu, fetched_, 0) + static_cast<i32>(gridDim.x);
        if (drawn_ < num_units_) fetch(p);
      }
      return unit;
    }

   private:
    // Every CTA that had a unit draws until it gets none: num_units_ draws in all, if CTAs without a first unit draw never. The last of
    // them leaves the counter as the plan had it.
    __device__ __forceinline__ void fetch(const AttentionParams &p) {
      if (lane_ == 0) {
        int *counter = const_cast<int *>(&p.header->queue_next);
        fetched_ = atomicAdd(counter, 1);
        if (fetched_ == num_units_ - 1) *counter = 0;
      }
    }

    u32 lane_;
    i32 num_pieces_;
    i32 num_whole_;
    i32 first_item_;  // of the pieces; the whole items follow them
    i32 num_units_;
    i32 drawn_;
    i32 fetched_ = 0;
    RingPosition<2> position_;
  };

  // ---- K and V by TMA ----

  struct LanePage {
    i32 page;
    i32 slot;
  };

  static __device__ __forceinline__ i32 page_at(const AttentionParams &p, i32 page_begin, i32 token) {
    return __ldg(p.kv_indices + min(static_cast<u32>(page_begin + divide(token, p.by_page)), static_cast<u32>(p.num_kv_indices - 1)));
  }
  static __device__ __forceinline__ i32 slot_at(const AttentionParams &p, i32 token) {
    return token - divide(token, p.by_page) * static_cast<i32>(p.by_page.divisor);
  }

  // Lane i asks for box i of a tile. Boxes without a token of the range get a page that does not exist, so they become zeros: behind the
  // last page the page table may say anything.
  static __device__ __forceinline__ LanePage ask_page(const PrefillParams90 &params, i32 page_begin, const Item &item, i32 tile, u32 lane) {
    const AttentionParams &p = params.attention;
    const i32 token = tile * kTokens + static_cast<i32>(lane) * params.box_tokens;
    LanePage result{p.num_pages, 0};
    if (static_cast<i32>(lane) * params.box_tokens < kTokens && token < item.kv_end && token + params.box_tokens > item.kv_begin) {
      result.page = page_at(p, page_begin, token);
      result.slot = slot_at(p, token);
    }
    return result;
  }

  template <int kColumns>
  static __device__ __forceinline__ void issue_boxes(const PrefillParams90 &params, const ptx::TensorMap &map, const LanePage &page, i32 head, u32 target, u32 full,
                                                     u32 lane) {
    constexpr u32 kBlockBytes = SwizzledTile<kTokens>::kBlockBytes;
    if (lane == 0) ptx::mbarrier_arrive_expect(full, kTokens * kColumns * 2);
    __syncwarp();
    if (static_cast<i32>(lane) * params.box_tokens < kTokens) {
      const u32 to = target + lane * params.box_tokens * 128;
#pragma unroll
      for (int block = 0; block < kColumns / 64; ++block) {
        ptx::tma_load_4d(to + block * kBlockBytes, map, block * 64, page.slot, head, page.page, full);
      }
    }
  }

  static __device__ __forceinline__ void load_boxes(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 lane = threadIdx.x % 32;
    if (lane == 0) {
      ptx::tma_prefetch(params.k_map);
      ptx::tma_prefetch(params.v_map);
    }
    UnitDrawer drawer(p, lane);
    KvPosition k, v;
    for (;;) {
      const PrefillUnit unit = drawer.next(p, shared);
      if (unit.item < 0) break;
      const Item item(p, unit.item);
      const TileRange<Traits> tiles(item);
      const i32 page_begin = __ldg(&p.tiles[item.tile].page_begin);
      LanePage next = ask_page(params, page_begin, item, tiles.end - 1, lane);
      LanePage last = next;
      for (i32 tile = tiles.end - 1; tile >= tiles.begin - 1; --tile) {
        const LanePage page = next;
        if (tile > tiles.begin) next = ask_page(params, page_begin, item, tile - 1, lane);
        if (tile >= tiles.begin) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          issue_boxes<Traits::kColumnsQk>(params, params.k_map, page, unit.head, ptx::shared_address(&shared.k[k.slot()]), ptx::shared_address(&shared.k_full[k.slot()]), lane);
          k.next();
        }
        // V follows a tile behind: in the order in which they are used.
        if (tile < tiles.end - 1) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
          issue_boxes<Traits::kColumnsVo>(params, params.v_map, last, unit.head, ptx::shared_address(&shared.v[v.slot()]), ptx::shared_address(&shared.v_full[v.slot()]), lane);
          v.next();
        }
        last = page;
      }
    }
    // The CTA must not end while copies are under way; the consumers have waited for them all.
  }

  // ---- rows by cp.async ----

  // Rows of q for a unit, by the threads first .. first + kThreads of the producer. Rows past the tile become zeros.
  template <int kThreads>
  static __device__ __forceinline__ void copy_query_rows(const AttentionParams &p, const Item &item, i32 head, u32 target, u32 thread) {
    using Tile = SwizzledTile<Traits::kRows>;
    constexpr u32 kChunks = Traits::kColumnsQk / 8;
    constexpr u32 kRealChunks = Traits::kDimQk / 8;
    const TileRows rows(p, item.tile, Traits::kRows);
    const i32 num_rows = rows.num_rows(p);
    for (u32 i = thread; i < Traits::kRows * kChunks; i += kThreads) {
      const u32 row = i / kChunks;
      const u32 chunk = i % kChunks;
      const i32 token_of_tile = divide(row, p.by_group);
      const i32 token = static_cast<i32>(row) < num_rows ? rows.token(p, token_of_tile) : -1;
      const bool valid = token >= 0 && chunk < kRealChunks;
      const i32 qo_head = head * p.group + static_cast<i32>(row) - token_of_tile * p.group;
      const char *source = p.q + (valid ? token * p.q_token_bytes + qo_head * p.q_head_bytes + chunk * 16 : 0);
      ptx::cp_async_16_or_zero(target + Tile::offset(row, chunk), source, valid);
    }
  }

  static __device__ __forceinline__ void copy_queries(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x - 32;
    UnitReader<Traits> reader;
    QueryPosition q;
    for (;;) {
      const PrefillUnit unit = reader.next(shared, thread % 32);
      if (unit.item < 0) break;
      const Item item(p, unit.item);
      ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
      copy_query_rows<96>(p, item, unit.head, ptx::shared_address(&shared.q[q.slot()]), thread);
      ptx::cp_async_commit();
      ptx::cp_async_wait<0>();
      ptx::fence_async_shared();
      ptx::mbarrier_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
      q.next();
    }
  }

  // The rows of a tile that a thread copies a chunk of each 128 bytes of: eight threads a row.
  static constexpr int kRowStep = 16;
  static constexpr int kRowsOfThread = kTokens / kRowStep;
  struct RowPages {
    u32 page[kRowsOfThread];
  };

  static __device__ __forceinline__ bool exists(const Item &item, i32 token) { return token < item.kv_end && token >= item.kv_begin; }

  static __device__ __forceinline__ void ask_pages(RowPages &pages, const AttentionParams &p, i32 page_begin, const Item &item, i32 tile, u32 thread) {
    const i32 first = tile * kTokens + static_cast<i32>(thread / 8);
#pragma unroll
    for (int i = 0; i < kRowsOfThread; ++i) {
      const i32 token = first + i * kRowStep;
      pages.page[i] = exists(item, token) ? page_at(p, page_begin, token) : 0;
    }
  }

  // One tile of K or V. The consumers fence before they use it. Tokens outside of the range become zeros.
  template <int kColumns, int kDim>
  static __device__ __forceinline__ void gather_rows(const AttentionParams &p, const char *base, u32 page_bytes, u32 token_bytes, const RowPages &pages, const Item &item,
                                                     i32 tile, u32 target, u32 full, u32 thread) {
    using Tile = SwizzledTile<kTokens>;
    const u32 row = thread / 8;
    const u32 column = thread % 8;
    const i32 first = tile * kTokens + static_cast<i32>(row);
    // Rows 16 apart have the same swizzle.
    target += Tile::offset(row, column);
    base += column * 16;
#pragma unroll
    for (int i = 0; i < kRowsOfThread; ++i) {
      const i32 token = first + i * kRowStep;
      const bool valid = exists(item, token);
      const u32 page = min(pages.page[i], static_cast<u32>(p.num_pages - 1));
      const char *source = base + static_cast<u64>(page) * page_bytes + static_cast<u64>(slot_at(p, token)) * token_bytes;
#pragma unroll
      for (int block = 0; block < kColumns / 64; ++block) {
        const bool real = kDim % 64 == 0 || block * 64 + static_cast<i32>(column) * 8 < kDim;
        ptx::cp_async_16_or_zero(target + block * Tile::kBlockBytes + i * kRowStep * 128, valid && real ? source + block * 128 : p.k, valid && real);
      }
    }
    ptx::cp_async_arrive(full);
  }

  static __device__ __forceinline__ void gather(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 thread = threadIdx.x;
    const u32 lane = thread % 32;
    UnitDrawer drawer(p, lane);
    UnitReader<Traits> reader;
    KvPosition k, v;
    QueryPosition q;
    for (;;) {
      const PrefillUnit unit = thread < 32 ? drawer.next(p, shared) : reader.next(shared, lane);
      if (unit.item < 0) break;
      const Item item(p, unit.item);
      const TileRange<Traits> tiles(item);
      const i32 page_begin = __ldg(&p.tiles[item.tile].page_begin);
      const char *k_base = p.k + unit.head * p.k_head_bytes;
      const char *v_base = p.v + unit.head * p.v_head_bytes;
      RowPages pages;
      ask_pages(pages, p, page_begin, item, tiles.end - 1, thread);
      for (i32 tile = tiles.end - 1; tile >= tiles.begin - 1; --tile) {
        if (tile >= tiles.begin) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.k_empty[k.slot()]), k.phase() ^ 1);
          gather_rows<Traits::kColumnsQk, Traits::kDimQk>(p, k_base, p.k_page_bytes, p.k_token_bytes, pages, item, tile, ptx::shared_address(&shared.k[k.slot()]),
                                                          ptx::shared_address(&shared.k_full[k.slot()]), thread);
          k.next();
        }
        // An empty unit has q too: the consumers count on it.
        if (tile == tiles.end - 1) {
          ptx::mbarrier_wait(ptx::shared_address(&shared.q_empty[q.slot()]), q.phase() ^ 1);
          copy_query_rows<128>(p, item, unit.head, ptx::shared_address(&shared.q[q.slot()]), thread);
          ptx::cp_async_arrive(ptx::shared_address(&shared.q_full[q.slot()]));
          q.next();
        }
        if (tile < tiles.end - 1) {
          // Their pages were asked for a tile ago, so they are in L1.
          ask_pages(pages, p, page_begin, item, tile + 1, thread);
          ptx::mbarrier_wait(ptx::shared_address(&shared.v_empty[v.slot()]), v.phase() ^ 1);
          gather_rows<Traits::kColumnsVo, Traits::kDimVo>(p, v_base, p.v_page_bytes, p.v_token_bytes, pages, item, tile + 1, ptx::shared_address(&shared.v[v.slot()]),
                                                          ptx::shared_address(&shared.v_full[v.slot()]), thread);
          v.next();
        }
        if (tile > tiles.begin) ask_pages(pages, p, page_begin, item, tile - 1, thread);
      }
    }
    ptx::cp_async_wait<0>();
  }
};

}  // namespace fp

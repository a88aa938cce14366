// attention_plan.cuh: reading the plan. Whatever a plan says, nothing outside of the capacities in the params is touched.
#pragma once
#include "parts/attention_params.h"
#include "parts/types.cuh"
#include "ptx/load.cuh"

namespace fp {

// q = n / d for 0 <= n < 2^31.
__device__ __forceinline__ i32 divide(i32 n, const Divisor &d) { return static_cast<i32>(__umulhi(static_cast<u32>(n) << 1, d.multiplier) >> d.shift); }

struct ItemRange {
  i32 begin;
  i32 end;
};

// What the plan says of this CTA's run of work items: asked for, but not looked at yet. Each lane has one of the four words, so that the compiler can't
// wait for them before the lanes exchange them.
class RangeWords {
 public:
  __device__ __forceinline__ RangeWords(const AttentionParams &p, u32 lane) {
    const i32 *begin = p.cta_begin + min(static_cast<i32>(blockIdx.x), p.num_ctas - 1);
    const i32 *mine = lane % 2 == 0 ? begin : begin + 1;
    if (lane % 4 >= 2) mine = lane % 2 == 0 ? &p.header->num_ctas : &p.header->num_work_items;
    word_ = ptx::load_now(mine);
  }

  // All lanes ask.
  __device__ __forceinline__ ItemRange items(const AttentionParams &p) const {
    const i32 begin = max(word(0), 0), end = word(1), num_ctas = word(2), num_items = word(3);
    return static_cast<i32>(blockIdx.x) < min(num_ctas, p.num_ctas) ? ItemRange{begin, min(end, min(num_items, p.max_work_items))} : ItemRange{0, 0};
  }

 private:
  __device__ __forceinline__ i32 word(int lane) const { return __shfl_sync(0xffffffffu, word_, lane); }

  i32 word_;
};

constexpr i32 sector_bytes = 32;

// Fetches `count` entries into L2, by all CTAs together: each lane asks for one sector, the first of all CTAs for neighbouring ones.
template <typename Entry>
__device__ __forceinline__ void prefetch_entries(const Entry *entries, i32 count, u32 lane) {
  const u64 at = static_cast<u64>(lane * gridDim.x + blockIdx.x) * sector_bytes;
  if (at < static_cast<u64>(max(count, 0)) * sizeof(Entry)) ptx::prefetch_l2(reinterpret_cast<const char *>(entries) + at);
}

// A work item is found by a chain of reads: the CTA's range, the item, its tile, the page ids. At a launch's start each of them would be a read of
// cold memory. So all are fetched at once, before anyone knows which are needed. Four warps share them out.
__device__ __forceinline__ void prefetch_plan(const AttentionParams &p, u32 warp, u32 lane) {
  if (warp == 0) prefetch_entries(p.work, p.max_work_items, lane);
  if (warp == 1) prefetch_entries(p.tiles, p.max_tiles, lane);
  if (warp == 2) prefetch_entries(p.kv_indices, p.num_kv_indices, lane);
  if (warp == 3) {
    prefetch_entries(p.merges, p.max_merges, lane);
    prefetch_entries(p.partials, p.max_partials, lane);
  }
}

// A work item whose ranges have been cut to what exists. An item of an unknown tile has no rows and no heads.
struct Item {
  i32 tile;  // index into tiles
  i32 head_begin;
  i32 num_heads;
  i32 kv_begin;
  i32 kv_end;

  __device__ __forceinline__ Item(const AttentionParams &p, i32 index)
      : Item(p, __ldg(&p.work[index].tile), __ldg(&p.work[index].kv_head_begin), __ldg(&p.work[index].num_kv_heads), __ldg(&p.work[index].kv_begin),
             __ldg(&p.work[index].kv_end)) {}
  __device__ __forceinline__ Item(const AttentionParams &p, i32 tile_index, i32 first_head, i32 head_count, i32 begin, i32 end) {
    tile = tile_index;
    head_begin = max(first_head, 0);
    num_heads = min(head_count, p.num_kv_heads - head_begin);
    kv_begin = max(begin, 0);
    kv_end = end;
    if (p.num_pages == 0 || p.num_kv_indices == 0) kv_end = kv_begin;
    if (static_cast<u32>(tile) >= static_cast<u32>(p.max_tiles)) {
      tile = 0;
      num_heads = 0;
    }
  }
};

// A work item as the plan has it, in two loads.
struct ItemWords {
  uint4 first;   // tile, kv_head_begin, num_kv_heads, kv_begin
  uint4 second;  // kv_end, partial_row, needs_mask, merge
  static_assert(sizeof(WorkItem) == 32);

  __device__ __forceinline__ ItemWords() : first(make_uint4(0, 0, 0, 0)), second(make_uint4(0, 0, 0, 0)) {}
  __device__ __forceinline__ ItemWords(const AttentionParams &p, i32 index) {
    const uint4 *words = reinterpret_cast<const uint4 *>(p.work + index);
    first = __ldg(words);
    second = __ldg(words + 1);
  }

  // Where no CTA has more than one item, a CTA's item is mostly the one of its own number. It is asked for together with the CTA's range, instead of
  // after it: before it, so that nothing that is done with the range comes between.
  static __device__ __forceinline__ ItemWords guess_first(const AttentionParams &p) {
    const i32 cta = static_cast<i32>(blockIdx.x);
    // Without such an item, something that exists.
    const char *words = cta < p.max_work_items ? reinterpret_cast<const char *>(p.work + cta) : reinterpret_cast<const char *>(p.header);
    ItemWords guess;
    guess.first = ptx::load_now_16(words);
    guess.second = ptx::load_now_16(words + 16);
    return guess;
  }
};

// An item of decode tiles: as Item, and what else the plan says of it.
struct DecodeItem : Item {
  i32 partial_row;
  bool needs_mask;
  i32 merge;

  __device__ __forceinline__ DecodeItem(const AttentionParams &p, const ItemWords &words)
      : Item(p, static_cast<i32>(words.first.x), static_cast<i32>(words.first.y), static_cast<i32>(words.first.z), static_cast<i32>(words.first.w),
             static_cast<i32>(words.second.x)),
        partial_row(static_cast<i32>(words.second.y)),
        needs_mask(words.second.z != 0),
        merge(static_cast<i32>(words.second.w)) {}
};

__device__ __forceinline__ ItemWords first_item(const AttentionParams &p, const ItemRange &items, const ItemWords &guess) {
  return items.begin == static_cast<i32>(blockIdx.x) || items.begin >= items.end ? guess : ItemWords(p, items.begin);
}

__device__ __forceinline__ i32 item_class(const AttentionParams &p, i32 index) {
  const i32 tile = __ldg(&p.work[index].tile);
  return static_cast<u32>(tile) < static_cast<u32>(p.max_tiles) ? __ldg(&p.tiles[tile].tile_class) : kDecodeTile;
}

// The packed rows of a tile: row r is token r / group of the tile, head r % group of the KV head's group.
struct TileRows {
  i32 token_begin;
  i32 num_tokens;
  i32 gathered;
  i32 qo_pos_begin;

  __device__ __forceinline__ TileRows(i32 first_token, i32 count, i32 is_gathered, i32 first_position)
      : token_begin(first_token), num_tokens(count), gathered(is_gathered), qo_pos_begin(first_position) {}
  __device__ __forceinline__ TileRows(const AttentionParams &p, i32 tile, i32 max_rows)
      : TileRows(p, __ldg(&p.tiles[tile].token_begin), __ldg(&p.tiles[tile].num_tokens), __ldg(&p.tiles[tile].gathered), __ldg(&p.tiles[tile].qo_pos_begin), max_rows) {}
  // As the plan says, cut to what exists.
  __device__ __forceinline__ TileRows(const AttentionParams &p, i32 first_token, i32 count, i32 is_gathered, i32 first_position, i32 max_rows)
      : TileRows(max(first_token, 0), 0, is_gathered, first_position) {
    const i32 available = (gathered ? p.max_row_entries : p.num_tokens) - token_begin;
    num_tokens = max(min(min(count, available), divide(max_rows, p.by_group)), 0);
  }

  __device__ __forceinline__ i32 num_rows(const AttentionParams &p) const { return num_tokens * p.group; }

  // Row of q and out; -1 if the plan names one that does not exist.
  __device__ __forceinline__ i32 token(const AttentionParams &p, i32 token_of_tile) const {
    if (!gathered) return token_begin + token_of_tile;
    const i32 token = __ldg(&p.rows[token_begin + token_of_tile].token);
    return static_cast<u32>(token) < static_cast<u32>(p.num_tokens) ? token : -1;
  }

  __device__ __forceinline__ i32 position(const AttentionParams &p, i32 token_of_tile) const {
    return gathered ? __ldg(&p.rows[token_begin + token_of_tile].qo_pos) : qo_pos_begin + token_of_tile;
  }
};

// What the plan says of this CTA's only item beside the item itself: the rows of its tile, and where its pages are. So neither has to be asked for by way
// of the tile. The lanes hold the ids of the first pages, one each.
class ItemStart {
 public:
  __device__ __forceinline__ ItemStart() {}
  __device__ __forceinline__ ItemStart(const AttentionParams &p, u32 lane) {
    // Without starts, something that exists.
    const CtaStart *start = p.starts != nullptr ? p.starts + min(static_cast<i32>(blockIdx.x), p.num_ctas - 1) : reinterpret_cast<const CtaStart *>(p.header);
    static_assert(sizeof(CtaStart) <= sizeof(PlanHeader));
    tile_ = ptx::load_now_16(start);
    page_ = ptx::load_now(start->pages + lane % start_pages);
  }

  // The same, now that the items are known, of which `first` is the first: it exists if the plan says something of them.
  __device__ __forceinline__ ItemStart of(const AttentionParams &p, const ItemRange &items, const Item &first) const {
    ItemStart start = *this;
    start.exists_ = p.starts != nullptr && tile_.y != 0 && items.end - items.begin == 1 && first.num_heads == 1;
    return start;
  }

  __device__ __forceinline__ bool exists() const { return exists_; }
  __device__ __forceinline__ i32 page_begin() const { return static_cast<i32>(tile_.w); }
  __device__ __forceinline__ TileRows rows(const AttentionParams &p, i32 max_rows) const {
    return TileRows(p, static_cast<i32>(tile_.x), static_cast<i32>(tile_.y), 0, static_cast<i32>(tile_.z), max_rows);
  }
  // Of the pages from the item's first on, this lane's choice. All lanes ask.
  __device__ __forceinline__ i32 page(i32 index) const { return __shfl_sync(0xffffffffu, page_, index % start_pages); }

 private:
  uint4 tile_ = {0, 0, 0, 0};  // token_begin, num_tokens, qo_pos_begin, page_begin
  i32 page_ = 0;
  bool exists_ = false;
};

// Where the rows of (item, head) go.
struct RowTarget {
  i32 partial_row;  // -1: out and lse; else the workspace row of packed row 0
  i32 head;         // query head of packed row 0

  __device__ __forceinline__ RowTarget(i32 first_row, i32 first_head) : partial_row(first_row), head(first_head) {}
  // `head_of_item` counts from the item's first. ok: false if the rows do not fit the workspace.
  __device__ __forceinline__ RowTarget(const AttentionParams &p, const WorkItem *w, i32 kv_head, i32 head_of_item, i32 num_rows, bool &ok)
      : RowTarget(p, __ldg(&w->partial_row), kv_head, head_of_item, num_rows, ok) {}
  __device__ __forceinline__ RowTarget(const AttentionParams &p, i32 item_row, i32 kv_head, i32 head_of_item, i32 num_rows, bool &ok) {
    head = kv_head * p.group;
    partial_row = item_row;
    ok = true;
    if (partial_row >= 0) {
      const i64 first = partial_row + static_cast<i64>(head_of_item) * num_rows;
      ok = first + num_rows <= p.max_partial_rows;
      partial_row = static_cast<i32>(first);
    }
  }
};

}  // namespace fp

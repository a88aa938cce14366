// attention_plan.cuh: reading the plan. Whatever a plan says, nothing outside of the capacities in the params is touched.
#pragma once
#include "parts/attention_params.h"
#include "parts/types.cuh"
#include "ptx/load.cuh"

namespace fp {

// q = n / d for 0 <= n < 2^31.
__device__ __forceinline__ i32 divide(i32 n, const Divisor &d) { return static_cast<i32>(__umulhi(static_cast<u32>(n) << 1, d.multiplier) >> d.shift); }

// Where a row of q or out lies, from the first: two products of 32 bits, since strides fit them.
__device__ __forceinline__ u64 row_place(i32 token, i64 token_bytes, i32 head, i64 head_bytes) {
  return static_cast<u64>(static_cast<u32>(token)) * static_cast<u32>(token_bytes) + static_cast<u64>(static_cast<u32>(head)) * static_cast<u32>(head_bytes);
}

struct ItemRange {
  i32 begin;
  i32 end;
};

constexpr i32 sector_bytes = 32;

// Fetches `count` entries into L2, by all CTAs together: each lane asks for one sector, the first of all CTAs for neighbouring ones.
template <typename Entry>
__device__ __forceinline__ void prefetch_entries(const Entry *entries, i32 count, u32 lane) {
  const u64 at = static_cast<u64>(lane * gridDim.x + blockIdx.x) * sector_bytes;
  if (at < static_cast<u64>(max(count, 0)) * sizeof(Entry)) ptx::prefetch_l2(reinterpret_cast<const char *>(entries) + at);
}

// What is asked for when the first items are done.
__device__ __forceinline__ void prefetch_merges(const AttentionParams &p, u32 lane) {
  prefetch_entries(p.merges, p.max_merges, lane);
  prefetch_entries(p.partials, p.max_partials, lane);
}

// A work item is found by a chain of reads: the CTA's range, the item, its tile, the page ids. At a launch's start each of them would be a read of
// cold memory. So all are fetched at once, before anyone knows which are needed. Four warps share them out.
__device__ __forceinline__ void prefetch_plan(const AttentionParams &p, u32 warp, u32 lane) {
  if (warp == 0) prefetch_entries(p.work, p.max_work_items, lane);
  if (warp == 1) prefetch_entries(p.tiles, p.max_tiles, lane);
  if (warp == 2) prefetch_entries(p.kv_indices, p.num_kv_indices, lane);
  if (warp == 3) prefetch_merges(p, lane);
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
    if (p.num_pages == 0) kv_end = kv_begin;
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
// of the tile. It is that of the CTA's number, and has one head.
class ItemStart {
 public:
  __device__ __forceinline__ ItemStart() {}
  // Lane `first` of `words` has the first word of the plan's record, and so on.
  __device__ __forceinline__ ItemStart(bool exists, i32 words, int first) : exists_(exists), words_(words), first_(first) {}

  __device__ __forceinline__ bool exists() const { return exists_; }
  // All lanes ask for these.
  __device__ __forceinline__ i32 page_begin() const { return word(3); }
  __device__ __forceinline__ TileRows rows(const AttentionParams &p, i32 max_rows) const { return TileRows(p, word(0), word(1), 0, word(2), max_rows); }
  // The id of one of the pages from the item's first on.
  static_assert((start_pages & (start_pages - 1)) == 0);
  __device__ __forceinline__ i32 page(i32 index) const { return word(4 + (index & (start_pages - 1))); }

 private:
  __device__ __forceinline__ i32 word(i32 index) const { return __shfl_sync(0xffffffffu, words_, first_ + index); }

  bool exists_ = false;
  i32 words_ = 0;
  int first_ = 0;
};

// All that the plan says of this CTA: its range of items, the item of its own number, which where no CTA has more than one item is mostly the right one,
// and what CtaStart says of that. Asked for by one instruction of a warp, a word each lane, and looked at later: so the compiler cannot wait for one
// word before it asks for the next.
class CtaWords {
  static constexpr int kStart = sizeof(WorkItem) / 4;  // the first lane with a word of that
  static constexpr int kRange = kStart + sizeof(CtaStart) / 4;
  static constexpr int kHeader = kRange + 2;
  // Words of WorkItem, CtaStart and PlanHeader.
  static constexpr int kTile = 0;
  static constexpr int kHead = 1;
  static constexpr int kNumHeads = 2;
  static constexpr int kStartTokens = 1;
  static constexpr int kNumWorkItems = 1;
  static constexpr int kNumCtas = 2;
  static_assert(sizeof(CtaStart) <= sizeof(PlanHeader) && sizeof(WorkItem) <= sizeof(PlanHeader) && kHeader + 2 <= 32);

 public:
  __device__ __forceinline__ CtaWords(const AttentionParams &p, u32 lane) {
    const i32 cta = min(static_cast<i32>(blockIdx.x), p.num_ctas - 1);
    const i32 at = static_cast<i32>(lane);
    // Without such an item or start, words that exist: of another item, or of the header.
    i32 word = p.cta_places.work + max(min(cta, p.max_work_items - 1), 0) * kStart + at;
    if (at >= kStart) word = p.cta_places.starts + cta * p.cta_places.start_words + at - kStart;
    if (at >= kRange) word = p.cta_places.cta_begin + cta + at - kRange;
    if (at >= kHeader) word = at == kHeader ? kNumCtas : kNumWorkItems;
    words_ = ptx::load_now(reinterpret_cast<const i32 *>(p.header) + word);
    // While it is on its way.
    least_ = at == kRange ? cta : at > kRange ? cta + 1 : at == kNumHeads || at == kStart + kStartTokens ? 1 : 0;
    more_ = 0xffffffffu;
    if (at == kTile) more_ = static_cast<u32>(p.max_tiles - 1);
    if (at == kHead) more_ = static_cast<u32>(p.num_kv_heads - 1);
    if (at == kNumHeads || at == kRange || at == kRange + 1) more_ = 0;
    if (at == kStart + kStartTokens || at >= kHeader) more_ = 0x7fffffffu - static_cast<u32>(least_);
    may_start_ = p.cta_places.start_words != 0 && p.num_pages != 0 && p.max_tiles > 0 && static_cast<i32>(blockIdx.x) < min(p.num_ctas, p.max_work_items);
  }

  // All lanes ask.
  __device__ __forceinline__ ItemRange items(const AttentionParams &p) const {
    const i32 begin = max(word(kRange), 0), end = word(kRange + 1), num_ctas = word(kHeader), num_items = word(kHeader + 1);
    return static_cast<i32>(blockIdx.x) < min(num_ctas, p.num_ctas) ? ItemRange{begin, min(end, min(num_items, p.max_work_items))} : ItemRange{0, 0};
  }

  // What the plan says of the first of those items. All lanes ask.
  __device__ __forceinline__ ItemWords first_item(const AttentionParams &p, const ItemRange &items) const {
    return items.begin == static_cast<i32>(blockIdx.x) || items.begin >= items.end ? own_item() : ItemWords(p, items.begin);
  }

  // Of the item of the CTA's number. All lanes ask.
  __device__ __forceinline__ ItemWords own_item() const {
    ItemWords item;
    item.first = make_uint4(word(0), word(1), word(2), word(3));
    item.second = make_uint4(word(4), word(5), word(6), word(7));
    return item;
  }

  // What it says more of that one, if it is the only one. All lanes ask. It counts only if the rest of the plan agrees: one that does nothing may have
  // starts of another before it.
  __device__ __forceinline__ ItemStart start() const {
    const bool agrees = static_cast<u32>(words_ - least_) <= more_;
    return may_start_ && __all_sync(0xffffffffu, agrees) ? ItemStart(true, words_, kStart) : ItemStart();
  }

 private:
  __device__ __forceinline__ i32 word(int lane) const { return __shfl_sync(0xffffffffu, words_, lane); }

  i32 words_;
  // With a start, this lane's word lies between these: there is such a tile, head, CTA and item, and the item is the CTA's only one and has one head.
  i32 least_;
  u32 more_;
  bool may_start_;
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

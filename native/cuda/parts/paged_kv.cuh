// paged_kv.cuh: copying tiles of K and V through the page table, a tile ahead of the page ids' arrival.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/shared_tile.cuh"
#include "ptx/cp_async.cuh"

namespace fp {

// What a cursor needs once a head only. In shared memory, one for each warp: registers are scarce.
struct KvCursorHeads {
  i32 item;  // of the head that the cursor is in
  i32 item_end;
  i32 heads_left;  // of that item, this one included
  i32 begin;       // first token of the item's range for this cursor
};

// Walks the KV tokens of a run of work items in the order they are computed, (item, head, tile): the producer's side. A tile is
// kTokens tokens, copied by kThreads threads, whole warps; the next tile of the same head is kStep tokens further. The cursor stands
// on the tile to be copied next and has its page ids under way. A new cursor stands before the first tile.
template <int kDimQk, int kDimVo, int kThreads, int kTokens, int kStep>
class KvCursor {
  using KTile = SharedTile<kDimQk>;
  using VTile = SharedTile<kDimVo>;
  static_assert(KTile::kLanesPerRow == VTile::kLanesPerRow);
  static constexpr int kLanes = KTile::kLanesPerRow;
  static constexpr int kRowStep = kThreads / kLanes;  // between the rows that a thread copies
  static constexpr int kRows = kTokens / kRowStep;
  static_assert(kRows * kRowStep == kTokens && kRows >= 1);

 public:
  // The run starts at `item` and ends before `item_end`; its items are of one tile class. `thread`: 0 .. kThreads - 1.
  __device__ __forceinline__ KvCursor(KvCursorHeads &heads, i32 item, i32 item_end, u32 thread)
      : heads_(heads), row_(thread / kLanes), column_(thread % kLanes), head_(0), token_(0), kv_end_(0), page_begin_(0) {
    heads_ = {item - 1, item_end, 0, 0};
#pragma unroll
    for (int r = 0; r < kRows; ++r) page_[r] = 0;
  }

  // Copies the tile; nothing before the first or after the last. Tokens past the range become zeros, since what pages hold there may
  // be NaN.
  __device__ __forceinline__ void copy_k(const AttentionParams &p, u32 target) const {
    copy<KTile>(p, target, p.k + head_ * p.k_head_bytes, p.k_page_bytes, p.k_token_bytes);
  }
  __device__ __forceinline__ void copy_v(const AttentionParams &p, u32 target) const {
    copy<VTile>(p, target, p.v + head_ * p.v_head_bytes, p.v_page_bytes, p.v_token_bytes);
  }

  // `offset`: of this cursor's first tile from an item's first token.
  __device__ __forceinline__ void advance(const AttentionParams &p, i32 offset) {
    token_ += kStep;
    if (token_ >= kv_end_) next_head(p, offset);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const i32 token = token_ + row_ + r * kRowStep;
      if (token < kv_end_) {
        const u32 index = page_begin_ + divide(token, p.by_page);
        page_[r] = __ldg(p.kv_indices + min(index, static_cast<u32>(p.num_kv_indices - 1)));
      }
    }
  }

 private:
  // To the first tile of the next head that has one; to an empty tile if there is none.
  __device__ __forceinline__ void next_head(const AttentionParams &p, i32 offset) {
    KvCursorHeads heads = heads_;
    do {
      ++head_;
      if (--heads.heads_left <= 0) {
        if (heads.item < heads.item_end) ++heads.item;
        if (heads.item == heads.item_end) {
          token_ = kv_end_ = 0;
          break;
        }
        const Item item(p, heads.item);
        head_ = item.head_begin;
        heads.heads_left = item.num_heads;
        heads.begin = item.num_heads > 0 ? item.kv_begin + offset : item.kv_end;
        kv_end_ = item.kv_end;
        page_begin_ = __ldg(&p.tiles[item.tile].page_begin);
      }
      token_ = heads.begin;
    } while (token_ >= kv_end_);
    __syncwarp();
    heads_ = heads;
    __syncwarp();
  }

  template <typename Tile>
  __device__ __forceinline__ void copy(const AttentionParams &p, u32 target, const char *base, u32 page_bytes, u32 token_bytes) const {
    if (token_ >= kv_end_) return;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const i32 row = row_ + r * kRowStep;
      const i32 token = token_ + row;
      const u32 slot = token - divide(token, p.by_page) * p.by_page.divisor;
      const u32 page = min(static_cast<u32>(page_[r]), static_cast<u32>(p.num_pages - 1));
      const char *source = base + (static_cast<u64>(page) * page_bytes + static_cast<u64>(slot) * token_bytes + column_ * 16);
      const u32 to = target + Tile::offset(row, column_);
#pragma unroll
      for (int c = 0; c < Tile::kColumnSteps; ++c) ptx::cp_async_16_or_zero(to + c * kLanes * 16, source + c * kLanes * 16, token < kv_end_);
    }
  }

  KvCursorHeads &heads_;
  i32 row_;
  i32 column_;
  i32 head_;
  i32 token_;
  i32 kv_end_;  // equal to token_ before the first tile and after the last
  i32 page_begin_;
  i32 page_[kRows];
};

}  // namespace fp

// paged_kv.cuh: copying tiles of K and V through the page table, a tile ahead of the page ids' arrival.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/shared_tile.cuh"
#include "ptx/cp_async.cuh"

namespace fp {

// Where a cursor stands. In shared memory, one for each warp, since registers are scarce: all lanes hold and write the same.
struct KvCursorState {
  i32 token;       // first of the tile
  i32 kv_end;      // of the item; not above token before the first tile and after the last
  i32 page_begin;  // of the item's page list
  i32 head;        // KV head
  i32 item;
  i32 item_end;
  i32 heads_left;  // of the item, this one included
  i32 begin;       // first token of the item's range for this cursor
  // The rows of the tile that this warp copies.
  struct Row {
    u32 page;
    u32 slot;  // token of the page
  } rows[16];
};

// Neighbouring lanes that copy a row: a line's worth, or half of one; twice that if the tile has too few rows for all threads.
template <typename KTile, typename VTile>
constexpr int lanes_per_row(int num_threads, int num_rows) {
  static_assert(KTile::kWide == VTile::kWide);
  const int lanes = KTile::kWide ? 8 : 4;
  return num_threads / lanes > num_rows ? 2 * lanes : lanes;
}

// Walks the KV tokens of a run of work items in the order they are computed, (item, head, tile): the producer's side. A tile is
// kTokens tokens, copied by kThreads threads, whole warps; the next tile of the same head is kStep tokens further. The cursor stands
// on the tile to be copied next and has its page ids under way: in a register, or if kCopiesPages, by asynchronous copies for which the caller
// waits as for those of K and V. A new cursor stands before the first tile.
template <typename KTile, typename VTile, int kThreads, int kTokens, int kStep, bool kCopiesPages>
class KvCursor {
  static constexpr int kLanes = lanes_per_row<KTile, VTile>(kThreads, kTokens);
  static constexpr int kRowStep = kThreads / kLanes;  // between the rows that a thread copies
  static constexpr int kRows = kTokens / kRowStep;    // of a thread
  static constexpr int kPassRows = 32 / kLanes;       // of a warp at a time
  static_assert(kRows * kRowStep == kTokens && kRows * kPassRows <= 16);
  static_assert(KTile::kChunks % kLanes == 0 && VTile::kChunks % kLanes == 0);

 public:
  // The run starts at `item` and ends before `item_end`; its items are of one tile class.
  __device__ __forceinline__ KvCursor(KvCursorState &state, i32 item, i32 item_end) : state_(state) {
    state_.token = state_.kv_end = 0;
    state_.item = item - 1;
    state_.item_end = item_end;
    state_.heads_left = 0;
    // Rows that no tile has filled yet name a place that exists, too.
    if (ptx::lane_anew() < 16) state_.rows[ptx::lane_anew()] = {0, 0};
    __syncwarp();
  }

  // `offset`: of this cursor's first tile from an item's first token. `thread`: 0 .. kThreads - 1. True if the tile is of another head or item than
  // the one before.
  __device__ __forceinline__ bool advance(const AttentionParams &p, i32 offset, u32 thread) {
    const bool is_new = move(p, offset);
    ask_pages(p, thread);
    return is_new;
  }

  // Tiles whose page ids ask_ahead() asks for.
  static constexpr i32 kAhead = kThreads == 32 && !kCopiesPages ? 32 / kTokens : 0;

  // The page ids of the kAhead tiles after this one, as far as they are of the same head. For advance_to.
  __device__ __forceinline__ u32 ask_ahead(const AttentionParams &p, u32 lane) const {
    const i32 token = state_.token + kStep * static_cast<i32>(1 + lane / kTokens) + row_of(lane % kTokens);
    return token < state_.kv_end ? __ldg(page_at(p, divide(token, p.by_page))) : 0;
  }

  // advance() to the tile whose number of those is `tile`, counted from 0. Its page ids are not asked for again.
  __device__ __forceinline__ bool advance_to(const AttentionParams &p, i32 offset, u32 lane, u32 ahead, i32 tile) {
    const bool is_new = move(p, offset);
    if (is_new) {
      ask_pages(p, lane);
    } else {
      page_ = __shfl_sync(0xffffffffu, ahead, static_cast<int>(tile * kTokens + lane % kTokens));
      note_slot(p, lane, state_.token + row_of(lane));
    }
    return is_new;
  }

  // Must come before the tile is copied: makes the page ids known to all lanes.
  __device__ __forceinline__ void receive_pages(const AttentionParams &p, u32 thread) {
    if constexpr (!kCopiesPages) {
      const u32 lane = thread % 32;
      if (lane < kRows * kPassRows) state_.rows[lane].page = page_;
    }
    __syncwarp();
  }

  // Copies the tile; nothing before the first or after the last. Tokens past the range become zeros, since what pages hold there may
  // be NaN.
  __device__ __forceinline__ void copy_k(const AttentionParams &p, u32 target, u32 thread) const {
    copy<KTile>(target, thread, static_cast<u32>(p.num_pages - 1), p.k + state_.head * p.k_head_bytes, p.k_page_bytes, p.k_token_bytes);
  }
  __device__ __forceinline__ void copy_v(const AttentionParams &p, u32 target, u32 thread) const {
    copy<VTile>(target, thread, static_cast<u32>(p.num_pages - 1), p.v + state_.head * p.v_head_bytes, p.v_page_bytes, p.v_token_bytes);
  }

 private:
  // Of the tile: the row that a lane asks the page of.
  static __device__ __forceinline__ i32 row_of(u32 thread) {
    const u32 lane = thread % 32;
    return static_cast<i32>(lane / kPassRows * kRowStep + thread / 32 * kPassRows + lane % kPassRows);
  }

  __device__ __forceinline__ const i32 *page_at(const AttentionParams &p, u32 page_of_list) const {
    return p.kv_indices + min(state_.page_begin + page_of_list, static_cast<u32>(p.num_kv_indices - 1));
  }

  // To the next tile. True if it is of another head or item.
  __device__ __forceinline__ bool move(const AttentionParams &p, i32 offset) {
    const i32 token = state_.token + kStep;
    const bool is_same_head = token < state_.kv_end;
    __syncwarp();
    if (is_same_head) {
      state_.token = token;
    } else {
      next_head(p, offset);
    }
    __syncwarp();
    return !is_same_head;
  }

  // Writes down where in its page the token of the lane's row lies. Gives the page's place in the list, -1 if the lane has no row.
  __device__ __forceinline__ i32 note_slot(const AttentionParams &p, u32 thread, i32 token) {
    const u32 lane = thread % 32;
    if (lane >= kRows * kPassRows || token >= state_.kv_end) return -1;
    const i32 page_of_list = divide(token, p.by_page);
    state_.rows[lane].slot = token - page_of_list * p.by_page.divisor;
    return page_of_list;
  }

  // Each lane asks for the page of one of the warp's rows.
  __device__ __forceinline__ void ask_pages(const AttentionParams &p, u32 thread) {
    if (!kCopiesPages) page_ = 0;
    const i32 page_of_list = note_slot(p, thread, state_.token + row_of(thread));
    if (page_of_list < 0) return;
    const i32 *source = page_at(p, page_of_list);
    if constexpr (kCopiesPages) {
      ptx::cp_async_4(ptx::shared_address(&state_.rows[thread % 32].page), source);
    } else {
      page_ = __ldg(source);
    }
  }

  // To the first tile of the next head that has one; to an empty tile if there is none.
  __device__ __forceinline__ void next_head(const AttentionParams &p, i32 offset) {
    i32 head = state_.head;
    i32 heads_left = state_.heads_left;
    i32 item = state_.item;
    i32 begin = state_.begin;
    i32 kv_end = state_.kv_end;
    i32 page_begin = state_.page_begin;
    do {
      ++head;
      if (--heads_left <= 0) {
        if (++item >= state_.item_end) {
          item = state_.item_end;
          begin = kv_end = 0;
          break;
        }
        const Item next(p, item);
        head = next.head_begin;
        heads_left = next.num_heads;
        begin = next.kv_begin + offset;
        kv_end = heads_left > 0 ? next.kv_end : 0;
        page_begin = __ldg(&p.tiles[next.tile].page_begin);
      }
    } while (begin >= kv_end);
    __syncwarp();
    state_.token = begin;
    state_.kv_end = kv_end;
    state_.page_begin = page_begin;
    state_.head = head;
    state_.item = item;
    state_.heads_left = heads_left;
    state_.begin = begin;
  }

  template <typename Tile>
  __device__ __forceinline__ void copy(u32 target, u32 thread, u32 last_page, const char *base, u32 page_bytes, u32 token_bytes) const {
    const i32 first_row = thread / kLanes;
    const i32 column = thread % kLanes;
    const i32 num_tokens = state_.kv_end - state_.token;
    base += column * 16;
    target += Tile::offset(first_row, column);
    if (num_tokens <= 0) return;
    // All rows' places are read before the first copy, which no read is moved ahead of.
    KvCursorState::Row rows[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) rows[r] = state_.rows[r * kPassRows + thread % 32 / kLanes];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const char *source = base + static_cast<u64>(min(rows[r].page, last_page)) * page_bytes + static_cast<u64>(rows[r].slot) * token_bytes;
      // Where rows are 4 apart, every second one has another swizzle.
      const u32 to = kRowStep % 8 == 0 ? target + r * kRowStep * Tile::kPitch
                                       : target + (Tile::offset(first_row + r * kRowStep, column) - Tile::offset(first_row, column));
#pragma unroll
      for (int c = 0; c < Tile::kChunks / kLanes; ++c) {
        ptx::cp_async_16_or_zero(to + c * kLanes * 16, source + c * kLanes * 16, first_row + r * kRowStep < num_tokens);
      }
    }
  }

  KvCursorState &state_;
  u32 page_ = 0;  // of the lane's row
};

}  // namespace fp

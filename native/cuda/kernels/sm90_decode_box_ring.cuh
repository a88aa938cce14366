// sm90_decode_box_ring.cuh: a decode warp's ring of chunks of K and V, filled by Hopper's copy engine: one instruction of one lane a chunk. For pages of
// whole chunks.
//
// A chunk of 16 tokens lies in one page, at a multiple of 16 of it. So an item that begins elsewhere, behind a window, begins with a chunk whose first
// tokens are not its own: they are masked, and their V made zeros, as those behind the last token are.
#pragma once
#include "kernels/sm80_attention_traits.cuh"
#include "parts/attention_plan.cuh"
#include "parts/prefill_params_sm90.h"
#include "parts/swizzled_fragments.cuh"
#include "ptx/address.cuh"
#include "ptx/mbarrier.cuh"

namespace fp {

template <typename Traits>
class BoxRing {
  static constexpr int kSlots = Traits::kDecodeSlots;
  // Of rows of FP8, two elements are a column of 16 bits.
  using KeyTile = SwizzledTile<decode_chunk, Traits::Keys::kUnits>;
  using ValueTile = SwizzledTile<decode_chunk, Traits::Values::kUnits>;
  // The page list of the next item is asked for ahead too, and so the item after it: where registers allow.
  static constexpr bool kFarAhead = Traits::kDimQk <= 128;
  static_assert(kSlots % 2 == 0 && Traits::kDecodeSlotBytes % 512 == 0);
  // Slots whose pages an ItemStart knows, if these are as small as chunks: a chunk of K and one of V each round of the warps.
  static constexpr u32 kStartSlots = 2 * start_pages * start_page_tokens / decode_kv_tile;
  static_assert(kStartSlots == 4 && kSlots >= kStartSlots && decode_chunk == start_page_tokens);

 public:
  using Params = PrefillParams90;
  // When a slot's chunk is there.
  struct Shared {
    u64 full[kSlots];
  };
  using KeyPointer = SwizzledFragmentPointer<Traits::Keys::kUnits>;
  using ValuePointer = SwizzledFragmentPointer<Traits::Values::kUnits>;

  static __device__ __forceinline__ const AttentionParams &attention(const PrefillParams90 &params) { return params.attention; }
  // Chunks begin at multiples of 16, an item's first one maybe ahead of the item. An empty range has none.
  static constexpr bool kWholeChunks = true;
  static __device__ __forceinline__ i32 first_token(i32 kv_begin, i32 kv_end) { return kv_begin < kv_end ? kv_begin & -decode_chunk : kv_end; }

  // By all lanes of the ring's warp.
  static __device__ __forceinline__ void prepare(Shared &shared, u32 lane) {
    if (lane == 0) {
#pragma unroll
      for (u32 slot = 0; slot < kSlots; ++slot) ptx::mbarrier_init(ptx::shared_address(shared.full) + 8 * slot, 1);
      ptx::mbarrier_fence_init();
    }
    __syncwarp();
  }

  // `offset`: of this warp's first chunk from an item's first.
  __device__ __forceinline__ BoxRing(Shared &shared, u8 *slots, const ItemRange &items, i32 offset, u32 lane)
      : slots_(slots), full_(ptx::shared_address(shared.full)), offset_(offset), lane_(lane), item_(items.begin), item_end_(items.end) {}

  // Asks for the page ids of the first chunks. `first`: what the plan says of the first item.
  __device__ __forceinline__ void begin(const PrefillParams90 &params, const ItemWords &first) {
    const AttentionParams &p = params.attention;
    next_ = NextItem(first);
    next_.ask_pages(p);
    if constexpr (kFarAhead) after_ = NextItem(p, item_ + 1, item_end_);
    enter_item(p);
    if (token_ >= kv_end_) next_head(p);
  }

  // The same of the only item, of which `start` says more: its first pages are known, so the first chunk of K is copied at once. What the item says
  // beyond that is not looked at.
  __device__ __forceinline__ void begin_at(const PrefillParams90 &params, const ItemWords &first, const ItemStart &start) {
    head_ = static_cast<i32>(first.first.y);
    heads_left_ = 1;
    kv_end_ = static_cast<i32>(first.second.x);
    const i32 first_chunk = first_token(max(static_cast<i32>(first.first.w), 0), kv_end_);
    begin_ = token_ = first_chunk + offset_;
    first_page_ = divide(first_chunk, params.attention.by_page);
    start_page_ = started_page(params, start);
    if (token_ < kv_end_) copy<KeyTile>(params, params.k_map, params.k_places_of_page, 0, start_page_);
    page_begin_ = start.page_begin();
  }

  // Starts the first copies; with a start, those after the first. Page ids are asked for when what is known has been copied: a register that waits for a
  // read must not be moved.
  __device__ __forceinline__ void fill(const PrefillParams90 &params, const ItemStart &start) {
    u32 slot = 0;
    if (start.exists()) {
      if (token_ < kv_end_) copy<ValueTile>(params, params.v_map, params.v_places_of_page, 1, start_page_);
      token_ += decode_kv_tile;
      const i32 page = started_page(params, start);
      if (token_ < kv_end_) {
        copy<KeyTile>(params, params.k_map, params.k_places_of_page, 2, page);
        copy<ValueTile>(params, params.v_map, params.v_places_of_page, 3, page);
      }
      token_ += decode_kv_tile;
      slot = kStartSlots;
      if (token_ < kv_end_) ask_ids(params.attention, begin_);
    }
#pragma unroll 1
    for (; slot < kSlots; slot += 2) {
      copy_k(params, slot);
      copy_v(params, slot + 1);
      advance(params.attention);
    }
  }

  // Until the oldest chunk is there.
  __device__ __forceinline__ void wait() const { ptx::mbarrier_wait(full_ + 8 * slot_, phase_); }
  __device__ __forceinline__ u32 slot() const { return ptx::shared_address(slots_) + slot_ * Traits::kDecodeSlotBytes; }

  // Makes zeros of the rows of V in the slot whose tokens the item does not have: what is there may be NaN, which no weight of 0 helps against.
  __device__ __forceinline__ void clear_outside(i32 token, i32 kv_begin, i32 kv_end) const {
    if (token >= kv_begin && token + decode_chunk <= kv_end) return;
    const i32 row = static_cast<i32>(lane_ / 2);
    if (token + row < kv_begin || token + row >= kv_end) {
#pragma unroll
      for (u32 chunk = 0; chunk < ValueTile::kChunks; chunk += 2) {
        *reinterpret_cast<uint4 *>(slots_ + slot_ * Traits::kDecodeSlotBytes + ValueTile::offset(row, chunk + lane_ % 2)) = make_uint4(0, 0, 0, 0);
      }
      // The slot's next chunk must not come before these.
      ptx::fence_async_shared();
    }
    __syncwarp();
  }

  // The slot has been read, and held K (V): starts the next copy of K (V) into it, and moves on to the slot after it.
  __device__ __forceinline__ void refill_k(const PrefillParams90 &params) {
    __syncwarp();
    copy_k(params, slot_);
    next_slot();
  }
  __device__ __forceinline__ void refill_v(const PrefillParams90 &params) {
    __syncwarp();
    copy_v(params, slot_);
    advance(params.attention);
    next_slot();
  }

 private:
  // An item that is to come, and its page list: each is asked for long before it is needed, and not looked at before.
  struct NextItem {
    ItemWords words;
    i32 page_begin = 0;

    __device__ __forceinline__ NextItem() {}
    __device__ __forceinline__ NextItem(const ItemWords &known) : words(known) {}
    __device__ __forceinline__ NextItem(const AttentionParams &p, i32 item, i32 item_end) {
      if (item < item_end) words = ItemWords(p, item);
    }
    __device__ __forceinline__ void ask_pages(const AttentionParams &p) { page_begin = __ldg(&p.tiles[DecodeItem(p, words).tile].page_begin); }
  };

  // To item `item_`, which is `next_`.
  __device__ __forceinline__ void begin_item(const AttentionParams &p) {
    const DecodeItem work(p, next_.words);
    head_ = work.head_begin;
    heads_left_ = work.num_heads;
    begin_ = token_ = first_token(work.kv_begin, work.kv_end) + offset_;
    kv_end_ = heads_left_ > 0 ? work.kv_end : 0;
    page_begin_ = next_.page_begin;
  }

  // The same, and asks for the items after it.
  __device__ __forceinline__ void enter_item(const AttentionParams &p) {
    begin_item(p);
    ask_ids(p, token_);
    if constexpr (kFarAhead) {
      next_ = after_;
      next_.ask_pages(p);
      after_ = NextItem(p, item_ + 2, item_end_);
    } else {
      next_ = NextItem(p, item_ + 1, item_end_);
    }
  }

  // To the first chunk of the next head that has one; to none if there is no such head.
  __device__ __forceinline__ void next_head(const AttentionParams &p) {
    do {
      ++head_;
      if (--heads_left_ > 0) {
        token_ = begin_;
        if (kv_end_ - begin_ > 32 * decode_kv_tile) ask_ids(p, token_);
        continue;
      }
      if (++item_ >= item_end_) {
        item_ = item_end_;
        token_ = kv_end_ = 0;
        return;
      }
      if constexpr (!kFarAhead) next_.ask_pages(p);
      enter_item(p);
    } while (token_ >= kv_end_);
  }

  __device__ __forceinline__ void advance(const AttentionParams &p) {
    if (token_ >= kv_end_) return;
    token_ += decode_kv_tile;
    if (token_ >= kv_end_) {
      next_head(p);
    } else if ((token_ - begin_) % (32 * decode_kv_tile) == 0) {
      ask_ids(p, token_);
    }
  }

  // Each lane asks for the page of one of the 32 chunks from `first_token` on.
  __device__ __forceinline__ void ask_ids(const AttentionParams &p, i32 first_token) {
    const i32 token = first_token + static_cast<i32>(lane_) * decode_kv_tile;
    ids_ = 0;
    if (token < kv_end_) ids_ = __ldg(p.kv_indices + min(static_cast<u32>(page_begin_ + divide(token, p.by_page)), static_cast<u32>(p.num_kv_indices - 1)));
  }

  // Starts the copy of the cursor's chunk into a slot.
  __device__ __forceinline__ void copy_k(const PrefillParams90 &params, u32 slot) const {
    if (token_ < kv_end_) copy<KeyTile>(params, params.k_map, params.k_places_of_page, slot, cursor_page());
  }
  __device__ __forceinline__ void copy_v(const PrefillParams90 &params, u32 slot) const {
    if (token_ < kv_end_) copy<ValueTile>(params, params.v_map, params.v_places_of_page, slot, cursor_page());
  }

  __device__ __forceinline__ i32 cursor_page() const { return __shfl_sync(0xffffffffu, ids_, (token_ - begin_) / decode_kv_tile % 32); }
  // The same by what the start knows.
  __device__ __forceinline__ i32 started_page(const PrefillParams90 &params, const ItemStart &start) const { return start.page(divide(token_, params.attention.by_page) - first_page_); }

  // Behind the last page the page table may say anything: zeros then.
  template <typename Tile>
  __device__ __forceinline__ void copy(const PrefillParams90 &params, const ptx::TensorMap &map, i32 places_of_page, u32 slot, i32 page) const {
    if (lane_ == 0) {
      const Divisor &by_page = params.attention.by_page;
      const i32 group = (token_ - divide(token_, by_page) * static_cast<i32>(by_page.divisor)) / 8;
      const bool exists = static_cast<u32>(page) < static_cast<u32>(params.attention.num_pages);
      ptx::mbarrier_arrive_expect(full_ + 8 * slot, Tile::kBytes);
      ptx::tma_load_5d(ptx::shared_address(slots_) + slot * Traits::kDecodeSlotBytes, map, 0, 0, 0, group, exists ? page * places_of_page + head_ : params.num_places, full_ + 8 * slot);
    }
  }

  __device__ __forceinline__ void next_slot() {
    if (++slot_ == kSlots) {
      slot_ = 0;
      phase_ ^= 1;
    }
  }

  u8 *slots_;
  u32 full_;
  u32 slot_ = 0;   // to be read next
  u32 phase_ = 0;  // of its barrier
  i32 offset_;
  u32 lane_;

  // The chunk to be copied next: the one at `token_` of KV head `head_`; none if that is not below kv_end_.
  i32 token_;
  i32 begin_;  // where the head's chunks for this warp begin
  i32 kv_end_;
  i32 head_;
  i32 heads_left_;  // of the item, this one included
  i32 page_begin_;
  i32 first_page_;  // of the list, that the start knows of
  i32 start_page_;  // id of the page of the first chunk
  i32 ids_;  // page ids of 32 chunks, the cursor's among them
  i32 item_;
  i32 item_end_;
  NextItem next_;   // item_ + 1
  NextItem after_;  // item_ + 2, without its page list
};

}  // namespace fp

// decode_copied_ring.cuh: a decode warp's ring of chunks of K and V, filled by asynchronous copies of 16 bytes. For any page size and any GPU
// since Ampere.
#pragma once
#include "kernels/sm80_attention_traits.cuh"
#include "parts/paged_kv.cuh"

namespace fp {

// One warp's chunks in flight: K of a chunk, V of it, K of the next. Each is one group of copies, empty after the last chunk, so
// that the oldest of kSlots groups is always the one to be read next.
template <typename Traits>
class CopiedRing {
  static constexpr int kSlots = Traits::kDecodeSlots;
  using Cursor = KvCursor<typename Traits::Keys::Tile, typename Traits::Values::Tile, 32, decode_chunk, decode_kv_tile, false>;
  static_assert(kSlots % 2 == 0);

 public:
  using Params = AttentionParams;
  using Shared = KvCursorState;
  using KeyPointer = typename Traits::Keys::Pointer;
  using ValuePointer = typename Traits::Values::Pointer;

  static __device__ __forceinline__ const AttentionParams &attention(const AttentionParams &p) { return p; }
  // Chunks may begin anywhere, so an item's first one is where the item begins.
  static constexpr bool kWholeChunks = false;
  static __device__ __forceinline__ i32 first_token(i32 kv_begin, i32) { return kv_begin; }

  static __device__ __forceinline__ void prepare(Shared &, u32) {}

  // `offset`: of this warp's first chunk from an item's first token.
  __device__ __forceinline__ CopiedRing(KvCursorState &state, u8 *slots, const ItemRange &items, i32 offset, u32 lane)
      : cursor_(state, items.begin, items.end), base_(ptx::shared_address(slots)), slot_(base_), offset_(offset), lane_(lane) {}

  // Asks for the page ids of the first chunks.
  __device__ __forceinline__ void begin(const AttentionParams &p, const ItemWords &) {
    cursor_.advance(p, offset_, lane_);
    ahead_ = cursor_.ask_ahead(p, lane_);
  }

  // The same with a start. It knows nothing that this ring can use.
  __device__ __forceinline__ void begin_at(const AttentionParams &p, const ItemWords &first, const ItemStart &) { begin(p, first); }

  // Starts the first copies.
  __device__ __forceinline__ void fill(const AttentionParams &p, const ItemStart &) {
    i32 known = Cursor::kAhead;
#pragma unroll 1
    for (i32 i = 0; i < kSlots / 2; ++i) {
      refill_k(p);
      cursor_.copy_v(p, slot_, lane_);
      const bool is_new = i < known ? cursor_.advance_to(p, offset_, lane_, ahead_, i) : cursor_.advance(p, offset_, lane_);
      if (is_new) known = 0;
      next_slot();
    }
  }

  // Until the oldest chunk is there, for all lanes.
  __device__ __forceinline__ void wait() {
    ptx::cp_async_wait<kSlots - 1>();
    __syncwarp();
  }
  __device__ __forceinline__ u32 slot() const { return slot_; }
  // Tokens of a chunk outside of the item's range are zeros as they come.
  __device__ __forceinline__ void clear_outside(i32, i32, i32) const {}

  // The slot has been read, and held K (V): starts the next copy of K (V) into it, and moves on to the slot after it.
  __device__ __forceinline__ void refill_k(const AttentionParams &p) {
    __syncwarp();
    cursor_.receive_pages(p, lane_);
    cursor_.copy_k(p, slot_, lane_);
    next_slot();
  }
  __device__ __forceinline__ void refill_v(const AttentionParams &p) {
    __syncwarp();
    cursor_.copy_v(p, slot_, lane_);
    cursor_.advance(p, offset_, lane_);
    next_slot();
  }

 private:
  __device__ __forceinline__ void next_slot() {
    ptx::cp_async_commit();
    slot_ += Traits::kDecodeSlotBytes;
    if (slot_ == base_ + kSlots * Traits::kDecodeSlotBytes) slot_ = base_;
  }

  Cursor cursor_;
  u32 ahead_;  // page ids of the first chunks after the very first
  u32 base_;
  u32 slot_;
  i32 offset_;
  u32 lane_;
};

}  // namespace fp

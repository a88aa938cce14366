// sm80_attention_prefill.cuh: tiles of many rows. Each warp owns some of the tile's rows, all warps share the KV tiles.
//
// The tiles of all (item, head) pairs of a stretch form one stream, across the ends of items too. K and V have a buffer each: while scores
// of a tile are computed its V is copied, and during its softmax and values the next tile's K (FlashAttention-2's order). Two barriers a
// tile say that what was copied has landed, and that everyone is done with what the next copy overwrites.
#pragma once
#include "kernels/sm80_attention_traits.cuh"
#include "parts/attention_mask.cuh"
#include "parts/online_softmax.cuh"
#include "parts/paged_kv.cuh"
#include "parts/run_trace.cuh"
#include "parts/kv_scales.cuh"
#include "parts/store_rows.cuh"

namespace fp {

template <typename Traits>
struct PrefillShared {
  static constexpr int kTokens = Traits::kPrefillKvTile;
  u16 q[Traits::kPrefillRows * Traits::kDimQk];  // each warp reads and writes its own rows only
  u8 k[kTokens * Traits::kDimQk * Traits::kKvBytes];
  u8 v[kTokens * Traits::kDimVo * Traits::kKvBytes];
  // What each warp needs once a tile or less.
  struct WarpState {
    KvCursorState cursor;
    WarpVisibility visible;
    i32 item;  // being computed
    i32 head;  // of the item
    i32 item_begin;
    i32 item_end;
    i32 kv_end;  // of the item
    // Each thread's softmax state between tiles: the loop has no registers to spare for them.
    SoftmaxState<Traits::kRowTiles> softmax[32];
  } warps[Traits::kTile.num_warps];
  TraceBegin trace_begin;
};

template <typename Traits>
class PrefillLoop {
  using Dtype = typename Traits::Dtype;
  using Shared = PrefillShared<Traits>;
  using WarpState = typename Shared::WarpState;
  static constexpr int kRowTiles = Traits::kRowTiles;
  static constexpr int kTokens = Traits::kPrefillKvTile;
  static constexpr int kTokenTiles = kTokens / 8;
  static constexpr int kColumnTiles = Traits::kDimVo / 8;
  static constexpr int kQkSteps = Traits::kDimQk / 16;
  using Cursor = KvCursor<typename Traits::Keys::Tile, typename Traits::Values::Tile, Traits::kThreads, kTokens, kTokens, true>;
  static_assert(sizeof(Shared) == prefill_shared_bytes(Traits::kTile, Traits::kDimQk, Traits::kDimVo, Traits::kKvBytes));

 public:
  // Computes the items item_begin .. item_end, all of prefill tiles.
  static __device__ __forceinline__ void run(const AttentionParams &p, Shared &shared, i32 item_begin, i32 item_end) {
    const u32 thread = ptx::thread_anew();
    const u32 lane = thread % 32;
    const i32 row_begin = static_cast<i32>(thread / 32) * Traits::kWarpRows;
    const u32 k_shared = ptx::shared_address(&shared.k);
    const u32 v_shared = ptx::shared_address(&shared.v);
    const u32 q_shared = ptx::shared_address(&shared.q) + row_begin * SharedTile<Traits::kDimQk>::kPitch;
    WarpState &warp = shared.warps[thread / 32];

    Cursor cursor(warp.cursor, item_begin, item_end);
    cursor.advance(p, 0, thread);
    begin_trace(p, shared.trace_begin, thread == 0);
    warp.item = item_begin - 1;
    warp.head = 0;
    warp.item_begin = item_begin;
    warp.item_end = item_end;
    ptx::cp_async_wait_all();
    cursor.receive_pages(p, thread);
    cursor.copy_k(p, k_shared, thread);
    i32 token = 0;
    next_head(p, warp, row_begin, q_shared, token, lane);
    ptx::cp_async_wait_all();
    __syncthreads();
    for (;;) {
      float out[kRowTiles][kColumnTiles][4];
      clear(out);
      warp.softmax[lane] = {};
      for (; token < warp.kv_end; token += kTokens) {
        // Groups: the unit's q, if this is its first tile; V.
        copy_v_and_advance(p, cursor, v_shared, ptx::thread_anew());
        ptx::cp_async_commit();
        ptx::cp_async_wait<1>();
        __syncwarp();
        const bool sees_any = warp.visible.any(token, token + kTokens);
        float scores[kRowTiles][kTokenTiles][4];
        if (sees_any) scores_of_tile(scores, q_shared, k_shared, p.kv_is_e5m2 != 0);
        ptx::cp_async_wait_all();
        __syncthreads();
        cursor.receive_pages(p, thread);
        cursor.copy_k(p, k_shared, ptx::thread_anew());
        if (sees_any) {
          const KvScales<Traits::kFp8> scales(p, Item(p, warp.item).head_begin + warp.head);
          if (p.cap_scale != 0.f) soft_cap_scores(scores, scales.cap(p));
          if (!warp.visible.all(token, token + kTokens)) mask_tile(p, scores, warp.item, first_row(), token, warp.kv_end);
          SoftmaxState<kRowTiles> &state = warp.softmax[ptx::lane_anew()];
          state.update(scores, out, scales.score(p));
          add_values(out, scores, v_shared, p.kv_is_e5m2 != 0);
        }
        ptx::cp_async_wait_all();
        __syncthreads();
      }
      // This warp is done with its q: fetch the next head's while the output is stored.
      __syncwarp();
      const i32 item = warp.item;
      const i32 head = warp.head;
      const bool more = next_head(p, warp, row_begin, q_shared, token, lane);
      store(p, item, head, first_row(), out, warp.softmax[ptx::lane_anew()], ptx::lane_anew());
      // Units of one item follow each other: it ends with its last.
      if (p.trace != nullptr && (!more || warp.item != item)) trace_item(p, shared.trace_begin, item);
      if (!more) break;
    }
  }

 private:
  // Registers are scarcer than instructions: what follows from the thread's number is found anew where it is needed.
  static __device__ __forceinline__ i32 first_row() { return static_cast<i32>(ptx::thread_anew() / 32) * Traits::kWarpRows; }

  static __device__ __forceinline__ void copy_v_and_advance(const AttentionParams &p, Cursor &cursor, u32 v_shared, u32 thread) {
    cursor.copy_v(p, v_shared, thread);
    cursor.advance(p, 0, thread);
  }

  // Moves on to the next head of the item, or to the next item: starts the copy of its q, and gives its range. False: there is none.
  static __device__ __forceinline__ bool next_head(const AttentionParams &p, WarpState &warp, i32 row_begin, u32 q_shared, i32 &token, u32 lane) {
    i32 item = warp.item;
    i32 head = warp.head + 1;
    if (item < warp.item_begin || head >= Item(p, item).num_heads) {
      head = 0;
      ++item;
    }
    if (item >= warp.item_end) return false;
    const Item work(p, item);
    token = work.kv_begin;
    const i32 kv_end = work.num_heads > 0 ? work.kv_end : token;
    if (token < kv_end) copy_q(p, item, head, row_begin, q_shared, lane);
    // A group of its own, so that the wait before the next tile covers it.
    ptx::cp_async_commit();
    const WarpVisibility visible = WarpVisibility::of<Traits::kWarpRows>(p, TileRows(p, work.tile, Traits::kPrefillRows), p.tiles + work.tile, row_begin,
                                                                         kv_end, __ldg(&p.work[item].needs_mask) != 0, lane);
    __syncwarp();
    warp.visible = visible;
    warp.item = item;
    warp.head = head;
    warp.kv_end = kv_end;
    __syncwarp();
    return true;
  }

  static __device__ __forceinline__ void clear(float (&out)[kRowTiles][kColumnTiles][4]) {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) out[m][n][0] = out[m][n][1] = out[m][n][2] = out[m][n][3] = 0.f;
    }
  }

  // This warp's rows of q. Rows past the tile become zeros.
  static __device__ __forceinline__ void copy_q(const AttentionParams &p, i32 item, i32 head_of_item, i32 row_begin, u32 q_shared, u32 lane) {
    using Tile = SharedTile<Traits::kDimQk>;
    constexpr int kRowStep = 32 / Tile::kLanesPerRow;
    const Item work(p, item);
    const TileRows rows(p, work.tile, Traits::kPrefillRows);
    const i32 num_rows = rows.num_rows(p);
    const i32 first_head = (work.head_begin + head_of_item) * p.group;
    const i32 column = lane % Tile::kLanesPerRow;
    for (int r = lane / Tile::kLanesPerRow; r < Traits::kWarpRows; r += kRowStep) {
      const i32 row = row_begin + r;
      const i32 token_of_tile = divide(row, p.by_group);
      const i32 token = row < num_rows ? rows.token(p, token_of_tile) : -1;
      const i32 head = first_head + row - token_of_tile * p.group;
      const char *source = p.q + (token >= 0 ? token * p.q_token_bytes + head * p.q_head_bytes : 0) + column * 16;
#pragma unroll
      for (int c = 0; c < Tile::kColumnSteps; ++c) {
        if constexpr (Traits::kFp8) {
          const u32 chunk = static_cast<u32>(column + c * Tile::kLanesPerRow);
#pragma unroll
          for (u32 i = 0; i < 4; ++i) {
            const u32 place = query_pair_place<true>(4 * chunk + i);
            ptx::cp_async_4_or_zero(q_shared + Tile::offset(r, place / 4) + place % 4 * 4, source + c * Tile::kLanesPerRow * 16 + i * 4, token >= 0);
          }
        } else {
          ptx::cp_async_16_or_zero(q_shared + Tile::offset(r, column) + c * Tile::kLanesPerRow * 16, source + c * Tile::kLanesPerRow * 16, token >= 0);
        }
      }
    }
  }

  static __device__ __forceinline__ void scores_of_tile(float (&scores)[kRowTiles][kTokenTiles][4], u32 q_shared, u32 k_shared, bool is_e5m2) {
    using Keys = typename Traits::Keys;
    const u32 lane = ptx::lane_anew();
    const FragmentPointer<Traits::kDimQk> q_pointer = FragmentPointer<Traits::kDimQk>::rows_first(lane);
    const typename Keys::Pointer k_pointer = Keys::Pointer::columns_first(lane);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kTokenTiles; ++n) scores[m][n][0] = scores[m][n][1] = scores[m][n][2] = scores[m][n][3] = 0.f;
    }
    const u32 q_based = q_pointer.on(q_shared);
    const u32 k_based = k_pointer.on(k_shared);
    constexpr int kSteps = Keys::kSteps;
#pragma unroll(4 / kSteps)
    for (int load = 0; load < Keys::kLoads; ++load) {
      u32 a[kSteps][kRowTiles][4];
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
#pragma unroll
        for (int m = 0; m < kRowTiles; ++m) ptx::ldmatrix_x4(a[s][m], q_pointer.at(q_based, load * kSteps + s, m));
      }
#pragma unroll
      for (int n = 0; n < kTokenTiles; n += 2) {
        u32 b[kSteps][4];
        key_fragments<Traits::kFp8>(b, k_pointer.at(k_based, load, n / 2), is_e5m2, Dtype{});
#pragma unroll
        for (int s = 0; s < kSteps; ++s) {
#pragma unroll
          for (int m = 0; m < kRowTiles; ++m) {
            ptx::mma(scores[m][n], a[s][m], b[s][0], b[s][1], Dtype{});
            ptx::mma(scores[m][n + 1], a[s][m], b[s][2], b[s][3], Dtype{});
          }
        }
      }
    }
  }

  static __device__ __forceinline__ void add_values(float (&out)[kRowTiles][kColumnTiles][4], const float (&weights)[kRowTiles][kTokenTiles][4], u32 v_shared, bool is_e5m2) {
    using Values = typename Traits::Values;
    const typename Values::Pointer v_pointer = Values::Pointer::rows_first(ptx::lane_anew());
    const u32 v_based = v_pointer.on(v_shared);
#pragma unroll
    for (int step = 0; step < kTokens / 16; ++step) {
      u32 a[kRowTiles][4];
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) weights_fragment(a[m], weights[m], step, Dtype{});
#pragma unroll
      for (int load = 0; load < Values::kLoads; ++load) {
        u32 b[Values::kSteps][4];
        value_fragments<Traits::kFp8>(b, v_pointer.at(v_based, load, step), is_e5m2, Dtype{});
#pragma unroll
        for (int s = 0; s < Values::kSteps; ++s) {
          const int n = 2 * (load * Values::kSteps + s);
#pragma unroll
          for (int m = 0; m < kRowTiles; ++m) {
            ptx::mma(out[m][n], a[m], b[s][0], b[s][1], Dtype{});
            ptx::mma(out[m][n + 1], a[m], b[s][2], b[s][3], Dtype{});
          }
        }
      }
    }
  }

  static __device__ __forceinline__ void trace_item(const AttentionParams &p, TraceBegin &begin, i32 item) {
    const Item work(p, item);
    end_trace(p, begin, ptx::thread_anew() == 0, item, work.head_begin, work.num_heads);
  }

  // Boundary tiles only; reads the plan again so that the others need not keep it in registers.
  static __device__ __forceinline__ void mask_tile(const AttentionParams &p, float (&scores)[kRowTiles][kTokenTiles][4], i32 item, i32 row_begin, i32 token,
                                                   i32 kv_end) {
    const i32 tile = Item(p, item).tile;
    mask_scores(p, scores, TileRows(p, tile, Traits::kPrefillRows), p.tiles + tile, row_begin, token, 0, kv_end, __ldg(&p.work[item].needs_mask) != 0, ptx::lane_anew());
  }

  static __device__ __forceinline__ void store(const AttentionParams &p, i32 item, i32 head_of_item, i32 row_begin, float (&out)[kRowTiles][kColumnTiles][4],
                                               SoftmaxState<kRowTiles> &state, u32 lane) {
    const Item work(p, item);
    const TileRows rows(p, work.tile, Traits::kPrefillRows);
    const i32 num_rows = rows.num_rows(p);
    bool fits;
    const RowTarget target(p, p.work + item, work.head_begin + head_of_item, head_of_item, num_rows, fits);
    if (!fits) return;
    const float v_scale = KvScales<Traits::kFp8>(p, work.head_begin + head_of_item).value(p);
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
      state.rows[m].add_up_lanes();
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const i32 row = row_begin + 16 * m + 8 * half + static_cast<i32>(lane / 4);
        const i32 token_of_tile = divide(row, p.by_group);
        const bool exists = row < num_rows;
        const float scale = normaliser(state.rows[m].sum[half]) * v_scale;
        const float lse = natural_lse(state.rows[m].shift[half], state.rows[m].sum[half]);
        if (target.partial_row >= 0) {
          if (exists) {
            const i64 partial = target.partial_row + row;
            store_columns<Traits::kFp8>(p.partial_out + partial * Traits::kDimVo, out[m], half, scale, lane);
            if (lane % 4 == 0) p.partial_lse[partial] = lse;
          }
        } else {
          const i32 token = exists ? rows.token(p, token_of_tile) : -1;
          const i32 head = target.head + row - token_of_tile * p.group;
          char *to = p.out + (token >= 0 ? token * p.out_token_bytes + head * p.out_head_bytes : 0);
          store_packed<Traits::kFp8, Dtype>(to, out[m], half, scale, lane, token >= 0);
          if (token >= 0 && lane % 4 == 0 && p.lse != nullptr) p.lse[static_cast<i64>(token) * p.num_qo_heads + head] = lse;
        }
      }
    }
  }
};

}  // namespace fp

// sm80_attention_decode.cuh: tiles of at most 16 rows. Every warp holds all rows and takes every fourth chunk of 16 KV tokens; the four
// warps' outputs are added up at the end of each (item, head).
//
// What counts is to keep memory busy: each warp has a ring of chunks of its own, K and V in turn, which it refills itself as soon as
// it has read a slot, across the ends of items too. No barrier is met between two ends. How chunks get into a ring is the ring's affair:
// decode_copied_ring.cuh here, sm90_decode_box_ring.cuh where Hopper's copy engine can fetch them.
#pragma once
#include "kernels/decode_copied_ring.cuh"
#include "parts/attention_mask.cuh"
#include "parts/online_softmax.cuh"
#include "parts/kv_scales.cuh"
#include "parts/merge_rows.cuh"
#include "parts/run_trace.cuh"
#include "parts/store_rows.cuh"
#include "ptx/atomic.cuh"
#include "ptx/barrier.cuh"
#include "ptx/pin.cuh"

namespace fp {

template <typename Traits, typename Ring>
struct DecodeShared {
  u8 rings[decode_warps][Traits::kDecodeSlots][Traits::kDecodeSlotBytes];
  u8 q[decode_query_bytes(Traits::kDimQk, Traits::kKvBytes)];  // of all warps, if registers can't hold it
  float merge[decode_merge_floats(Traits::kTile)];
  float shift[decode_rows][decode_warps];
  float sum[decode_rows][decode_warps];
  i32 is_last_piece;
  TraceBegin trace_begin;
  typename Ring::Shared ring_states[decode_warps];
};

template <typename Traits, typename Ring = CopiedRing<Traits>>
class DecodeLoop {
  using Dtype = typename Traits::Dtype;
  using Shared = DecodeShared<Traits, Ring>;
  using Params = typename Ring::Params;
  static constexpr int kTokenTiles = decode_chunk / 8;
  static constexpr int kColumnTiles = Traits::kDimVo / 8;
  static constexpr int kQkSteps = Traits::kDimQk / 16;
  using Keys = typename Traits::Keys;
  using Values = typename Traits::Values;
  using KeyPointer = typename Ring::KeyPointer;
  using ValuePointer = typename Ring::ValuePointer;
  static constexpr bool kQueryInShared = decode_query_in_shared(Traits::kDimQk, Traits::kKvBytes);
  // Where a tile has half the rows, the other half is not looked for.
  static constexpr bool kSkipsHalf = kTileArch == 90;
  // Queries are asked for ahead of K and V, which would keep them waiting. Before Hopper some kernels have no registers for it.
  static constexpr bool kQueriesFirst = kTileArch == 90;
  // What the plan says about a merge is asked for ahead of the item's walk, so that it is there when the item is done.
  static constexpr bool kAsksMergeFirst = kTileArch == 90 && !Traits::kFp8 && Traits::kDimVo <= 128;
  // What is known of the first item is kept until it is walked, rather than read again: where registers allow.
  static constexpr bool kKeepsFirst = Ring::kWholeChunks;
  // Partials whose outputs are under way at once: as many as there are registers for.
  static constexpr int kMergesAtOnce = Ring::kWholeChunks && Traits::kDimQk <= 128 ? 32 : 16;
  static constexpr u32 kMergeBarrier = 1;
  static constexpr u32 kQueryBarrier = 2;
  static constexpr int kMergeThreads = decode_warps * 32;
  static_assert(sizeof(Shared) <= decode_shared_bytes(Traits::kTile, Traits::kDimQk, Traits::kDimVo, Traits::kKvBytes));

 public:
  // What depends on no item: done while the first words of the plan are on their way.
  static __device__ __forceinline__ void prepare(const Params &params, Shared &shared) {
    const u32 thread = threadIdx.x;
    if (thread < kMergeThreads) Ring::prepare(shared.ring_states[__shfl_sync(0xffffffffu, thread / 32, 0)], thread % 32);
  }

  // What is read soon, fetched into L2 by all CTAs together: q and the plan, or, if no more is needed, what it says of merges.
  static __device__ __forceinline__ void prefetch(const AttentionParams &p, u32 thread, bool whole_plan = true) {
    if (whole_plan) {
      prefetch_plan(p, thread / 32, thread % 32);
    } else if (thread / 32 == 3) {
      prefetch_merges(p, thread % 32);
    }
    if constexpr (kQueriesFirst) prefetch_queries(p, thread);
  }

  // Computes items, all of decode tiles. `first`: what the plan says of the first; `start`: what it may say more.
  static __device__ __forceinline__ void run(const Params &params, Shared &shared, const ItemRange &items, const ItemWords &first, const ItemStart &start = ItemStart()) {
    const AttentionParams &p = Ring::attention(params);
    const u32 thread = ptx::thread_anew();
    const u32 lane = thread % 32;
    const i32 warp = static_cast<i32>(__shfl_sync(0xffffffffu, thread / 32, 0));
    if (Traits::kTile.num_warps > decode_warps && warp >= decode_warps) return;
    const KeyPointer k_pointer = KeyPointer::columns_first(lane);
    const ValuePointer v_pointer = ValuePointer::rows_first(lane);
    const bool is_e5m2 = p.kv_is_e5m2 != 0;
    if (items.begin >= items.end) return;
    Ring ring(shared.ring_states[warp], shared.rings[warp][0], items, warp * decode_chunk, lane);
    // With a start, K and V before all else. Without, what depends on the item is asked for all at once: its tile here, its page list in the ring.
    if (start.exists()) ring.begin_at(params, first, start);
    DecodeItem work(p, first);
    TileRows rows = start.exists() ? start.rows(p, decode_rows) : TileRows(p, work.tile, decode_rows);
    if (!start.exists()) ring.begin(params, first);
    Queries q;
    bool has_queries = false;
    if (kQueriesFirst && work.num_heads > 0) {
      q.load(p, shared, rows, work.head_begin, warp, lane);
      has_queries = true;
    }
    ring.fill(params, start);

    for (i32 item = items.begin;;) {
      begin_trace(p, shared.trace_begin, thread == 0);
      if constexpr (!kKeepsFirst) {
        work = DecodeItem(p, ItemWords(p, item));
        rows = TileRows(p, work.tile, decode_rows);
      }
      const bool needs_mask = work.needs_mask;
      const bool is_piece = static_cast<u32>(work.merge) < static_cast<u32>(p.max_merges);
      const WarpVisibility visible = WarpVisibility::of<decode_rows>(p, rows, p.tiles + work.tile, 0, work.kv_end, needs_mask, lane);
      MergePlan::Words merge;
      for (i32 head = 0; head < work.num_heads; ++head) {
        if (!kQueriesFirst || !has_queries) q.load(p, shared, rows, work.head_begin + head, warp, lane);
        has_queries = false;
        const KvScales<Traits::kFp8> scales(p, work.head_begin + head);
        // Known before K is there, rather than asked of memory behind the first scores.
        float score_scale = scales.score(p);
        float cap_scale = p.cap_scale;
        if constexpr (kTileArch == 90) {
          ptx::pin(score_scale);
          ptx::pin(cap_scale);
        }
        float out[1][kColumnTiles][4];
        SoftmaxState<1> state;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) out[0][n][0] = out[0][n][1] = out[0][n][2] = out[0][n][3] = 0.f;

        const i32 first_token = Ring::first_token(work.kv_begin, work.kv_end) + warp * decode_chunk;
        for (i32 token = first_token; token < work.kv_end; token += decode_kv_tile) {
          float scores[1][kTokenTiles][4];
          ring.wait();
          scores_of_chunk(scores[0], q, k_pointer, ring.slot(), is_e5m2, lane);
          ring.refill_k(params);
          if (cap_scale != 0.f) soft_cap_scores(scores, scales.cap(p));
          const i32 kv_begin = Ring::kWholeChunks ? work.kv_begin : 0;
          if (token < kv_begin || !visible.all(token, token + decode_chunk)) {
            mask_scores<Ring::kWholeChunks>(p, scores, rows, p.tiles + work.tile, 0, token, kv_begin, work.kv_end, needs_mask, lane);
          }
          state.update(scores, out, score_scale, token == first_token);
          ring.wait();
          ring.clear_outside(token, work.kv_begin, work.kv_end);
          add_values(out[0], scores[0], v_pointer, ring.slot(), is_e5m2);
          ring.refill_v(params);
        }
        // On its way while the warps' outputs are added up.
        if (kAsksMergeFirst && is_piece) merge = MergePlan::Words(p.merges + work.merge);
        merge_and_store(p, shared, work, head, rows, out[0], state, scales.value(p), warp, lane);
      }
      if (is_piece && work.num_heads > 0) {
        if constexpr (!kAsksMergeFirst) merge = MergePlan::Words(p.merges + work.merge);
        merge_pieces(p, shared, work.merge, MergePlan(p, merge, lane), warp, lane);
      }
      end_trace(p, shared.trace_begin, thread == 0, item, work.head_begin, work.num_heads);
      if (++item >= items.end) break;
      if constexpr (kKeepsFirst) {
        work = DecodeItem(p, ItemWords(p, item));
        rows = TileRows(p, work.tile, decode_rows);
      }
    }
  }

 private:
  // Fetches q into L2, by all CTAs together, a sector for each thread: as much as that is of it. What an item finds there it need not ask memory for,
  // which is busy with K and V.
  static __device__ __forceinline__ void prefetch_queries(const AttentionParams &p, u32 thread) {
    constexpr u32 kSectors = Traits::kDimQk * 2 / sector_bytes;
    const u32 at = thread * gridDim.x + blockIdx.x;
    const i32 row = static_cast<i32>(at / kSectors);
    const i32 token = divide(row, p.by_qo_heads);
    const i32 head = row - token * p.num_qo_heads;
    if (token < p.num_tokens) ptx::prefetch_l2(p.q + row_place(token, p.q_token_bytes, head, p.q_head_bytes) + at % kSectors * sector_bytes);
  }

  // The rows of q as A fragments: 16 rows of which few may exist.
  class Queries {
   public:
    __device__ __forceinline__ void load(const AttentionParams &p, Shared &shared, const TileRows &rows, i32 kv_head, i32 warp, u32 lane) {
      if constexpr (kQueryInShared) {
        pointer_ = FragmentPointer<Traits::kDimQk>::rows_first(lane).on(ptx::shared_address(&shared.q));
        store(p, shared, rows, kv_head, warp * 32 + static_cast<i32>(lane));
      } else {
        load_fragments(p, rows, kv_head, lane);
      }
    }

    __device__ __forceinline__ void fragment(u32 (&a)[4], int step, u32 lane) const {
      if constexpr (kQueryInShared) {
        ptx::ldmatrix_x4(a, FragmentPointer<Traits::kDimQk>::rows_first(lane).at(pointer_, step, 0));
      } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) a[i] = fragments_[step][i];
      }
    }

    // Null if there is no such row.
    static __device__ __forceinline__ const char *row_of(const AttentionParams &p, const TileRows &rows, i32 kv_head, i32 row) {
      const i32 token_of_tile = divide(row, p.by_group);
      const i32 token = row < rows.num_rows(p) ? rows.token(p, token_of_tile) : -1;
      const i32 head = kv_head * p.group + row - token_of_tile * p.group;
      return token >= 0 ? p.q + row_place(token, p.q_token_bytes, head, p.q_head_bytes) : nullptr;
    }

   private:
    __device__ __forceinline__ void load_fragments(const AttentionParams &p, const TileRows &rows, i32 kv_head, u32 lane) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        // Most tiles have no more rows: there is nothing to look for.
        if (kSkipsHalf && half == 1 && rows.num_rows(p) <= decode_rows / 2) {
#pragma unroll
          for (int step = 0; step < kQkSteps; ++step) fragments_[step][1] = fragments_[step][3] = 0;
          return;
        }
        const char *row = row_of(p, rows, kv_head, static_cast<i32>(lane / 4) + 8 * half);
        // Pairs of columns: t and t + 4 of eight; or as FP8 keys come (kv_fragments.cuh), 2 t and 2 t + 1.
        const u32 *from = reinterpret_cast<const u32 *>(row != nullptr ? row : p.q) + lane % 4 * (Traits::kFp8 ? 2 : 1);
        ptx::pin(from);  // one sum, rather than one for each load
#pragma unroll
        for (int step = 0; step < kQkSteps; ++step) {
          fragments_[step][half] = row != nullptr ? __ldg(from + step * 8) : 0;
          fragments_[step][half + 2] = row != nullptr ? __ldg(from + step * 8 + (Traits::kFp8 ? 1 : 4)) : 0;
        }
      }
    }

    // Everyone has read the last head's rows: the barriers of its merge are past.
    static __device__ __forceinline__ void store(const AttentionParams &p, Shared &shared, const TileRows &rows, i32 kv_head, i32 thread) {
      using Tile = SharedTile<Traits::kDimQk>;
      for (i32 chunk = thread; chunk < decode_rows * Tile::kChunks; chunk += kMergeThreads) {
        const i32 row = chunk / Tile::kChunks;
        const i32 column = chunk % Tile::kChunks;
        const char *from = row_of(p, rows, kv_head, row);
        const uint4 pairs = from != nullptr ? __ldg(reinterpret_cast<const uint4 *>(from) + column) : make_uint4(0, 0, 0, 0);
        if constexpr (Traits::kFp8) {
          const u32 words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
          for (u32 i = 0; i < 4; ++i) {
            const u32 place = query_pair_place<true>(4 * static_cast<u32>(column) + i);
            *reinterpret_cast<u32 *>(shared.q + Tile::offset(row, place / 4) + place % 4 * 4) = words[i];
          }
        } else {
          *reinterpret_cast<uint4 *>(shared.q + Tile::offset(row, column)) = pairs;
        }
      }
      ptx::named_barrier<kMergeThreads>(kQueryBarrier);
    }

    u32 fragments_[kQueryInShared ? 1 : kQkSteps][4];
    u32 pointer_;
  };

  static __device__ __forceinline__ void scores_of_chunk(float (&scores)[kTokenTiles][4], const Queries &q,
                                                         const KeyPointer &k_pointer, u32 slot, bool is_e5m2, u32 lane) {
    // Even and odd steps apart: half the length of the chain of dependent mma.
    float odd[kTokenTiles][4];
#pragma unroll
    for (int n = 0; n < kTokenTiles; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[n][e] = odd[n][e] = 0.f;
    }
    const u32 based = k_pointer.on(slot);
#pragma unroll
    for (int load = 0; load < Keys::kLoads; ++load) {
      u32 b[Keys::kSteps][4];
      key_fragments<Traits::kFp8>(b, k_pointer.at(based, load, 0), is_e5m2, Dtype{});
#pragma unroll
      for (int s = 0; s < Keys::kSteps; ++s) {
        const int step = load * Keys::kSteps + s;
        u32 a[4];
        q.fragment(a, step, lane);
        ptx::mma(step % 2 ? odd[0] : scores[0], a, b[s][0], b[s][1], Dtype{});
        ptx::mma(step % 2 ? odd[1] : scores[1], a, b[s][2], b[s][3], Dtype{});
      }
    }
#pragma unroll
    for (int n = 0; n < kTokenTiles; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[n][e] += odd[n][e];
    }
  }

  static __device__ __forceinline__ void add_values(float (&out)[kColumnTiles][4], const float (&weights)[kTokenTiles][4],
                                                    const ValuePointer &v_pointer, u32 slot, bool is_e5m2) {
    const u32 based = v_pointer.on(slot);
    u32 a[4];
    weights_fragment(a, weights, 0, Dtype{});
#pragma unroll
    for (int load = 0; load < Values::kLoads; ++load) {
      u32 b[Values::kSteps][4];
      value_fragments<Traits::kFp8>(b, v_pointer.at(based, load, 0), is_e5m2, Dtype{});
#pragma unroll
      for (int s = 0; s < Values::kSteps; ++s) {
        const int n = 2 * (load * Values::kSteps + s);
        ptx::mma(out[n], a, b[s][0], b[s][1], Dtype{});
        ptx::mma(out[n + 1], a, b[s][2], b[s][3], Dtype{});
      }
    }
  }

  // Adds the four warps' outputs up, in the order of the warps, and stores them. All rows at a time, as many columns as there is room for: twice as
  // many if the tile has half the rows, as most have.
  static __device__ __forceinline__ void merge_and_store(const AttentionParams &p, Shared &shared, const DecodeItem &work, i32 head_of_item,
                                                         const TileRows &rows, float (&out)[kColumnTiles][4], SoftmaxState<1> &state, float v_scale, i32 warp, u32 lane) {
    // Two ways need more code, and registers.
    constexpr bool kHalvesRows = kTileArch == 90 && !(Traits::kFp8 && Traits::kDimVo == 256);
    if (kHalvesRows && rows.num_rows(p) <= decode_rows / 2) {
      merge_and_store_rows<decode_rows / 2>(p, shared, work, head_of_item, rows, out, state, v_scale, warp, lane);
    } else {
      merge_and_store_rows<decode_rows>(p, shared, work, head_of_item, rows, out, state, v_scale, warp, lane);
    }
  }

  template <int kRows>
  static __device__ __forceinline__ void merge_and_store_rows(const AttentionParams &p, Shared &shared, const DecodeItem &work, i32 head_of_item,
                                                              const TileRows &rows, float (&out)[kColumnTiles][4], SoftmaxState<1> &state, float v_scale, i32 warp,
                                                              u32 lane) {
    constexpr int kHalves = kRows / 8;
    constexpr int kColumns = Traits::kTile.merge_columns * decode_rows / kRows;
    constexpr int kPitch = kColumns + 8;
    constexpr int kPieces = (Traits::kDimVo + kColumns - 1) / kColumns;
    constexpr int kThreadsOfRow = kMergeThreads / kRows;
    constexpr int kGroups = kColumns / 4 / kThreadsOfRow;  // of four columns that a thread adds up
    static_assert(kPitch % 32 == 8 && decode_warps * kRows * kPitch * sizeof(float) <= sizeof shared.merge && kGroups * 4 * kThreadsOfRow == kColumns);
    state.rows[0].add_up_lanes();

    // What this thread stores of each piece: groups of four columns of a row.
    const i32 num_rows = rows.num_rows(p);
    const i32 thread = warp * 32 + static_cast<i32>(lane);
    const i32 row = thread / kThreadsOfRow;
    const i32 column = thread % kThreadsOfRow * 4;
    bool fits;
    const RowTarget target(p, work.partial_row, work.head_begin + head_of_item, head_of_item, num_rows, fits);
    const i32 token_of_tile = divide(row, p.by_group);
    const i32 token = row < num_rows && fits ? rows.token(p, token_of_tile) : -1;
    const i32 head = target.head + row - token_of_tile * p.group;
    const bool is_partial = target.partial_row >= 0;
    char *to;
    float *to_lse;  // null: no one asked
    if (is_partial) {
      to = reinterpret_cast<char *>(p.partial_out + (static_cast<i64>(target.partial_row + row) * Traits::kDimVo + column));
      to_lse = p.partial_lse + (target.partial_row + row);
    } else {
      to = p.out + (row_place(max(token, 0), p.out_token_bytes, head, p.out_head_bytes) + column * 2);
      to_lse = p.lse != nullptr ? p.lse + (static_cast<i64>(token) * p.num_qo_heads + head) : nullptr;
    }
    if (token < 0 || column != 0) to_lse = nullptr;  // one thread of a row
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      // All have read what was here before.
      ptx::named_barrier<kMergeThreads>(kMergeBarrier);
      if (piece == 0 && lane % 4 == 0) {
#pragma unroll
        for (int half = 0; half < kHalves; ++half) {
          shared.shift[lane / 4 + 8 * half][warp] = state.rows[0].shift[half];
          shared.sum[lane / 4 + 8 * half][warp] = state.rows[0].sum[half];
        }
      }
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        float tiles[kColumns / 8][4];
#pragma unroll
        for (int i = 0; i < kColumns / 8; ++i) {
          // Past the last column nothing is stored from this.
          const int n = piece * (kColumns / 8) + i;
#pragma unroll
          for (int e = 0; e < 4; ++e) tiles[i][e] = n < kColumnTiles ? out[n][e] : 0.f;
        }
        store_columns<Traits::kFp8>(&shared.merge[(warp * kRows + static_cast<i32>(lane / 4) + 8 * half) * kPitch], tiles, half, 1.f, lane);
      }
      ptx::named_barrier<kMergeThreads>(kMergeBarrier);
      // Weighed anew for each piece: registers are scarcer than these few instructions.
      float weights[decode_warps];
      const float lse = weigh_warps(shared, row, v_scale, weights);
      if (piece == 0 && to_lse != nullptr) *to_lse = lse;
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        const int moved = group * 4 * kThreadsOfRow;
        float4 total = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
        for (int w = 0; w < decode_warps; ++w) {
          const float4 more = *reinterpret_cast<const float4 *>(&shared.merge[(w * kRows + row) * kPitch + column + moved]);
          total.x += more.x * weights[w];
          total.y += more.y * weights[w];
          total.z += more.z * weights[w];
          total.w += more.w * weights[w];
        }
        // What has seen nothing is zeros, whatever V holds: who merges does not look.
        if (lse == -kInfinity) total = make_float4(0.f, 0.f, 0.f, 0.f);
        if (token >= 0 && (Traits::kDimVo % kColumns == 0 || piece * kColumns + column + moved < Traits::kDimVo)) {
          if (is_partial) {
            *reinterpret_cast<float4 *>(to + (piece * kColumns + moved) * 4) = total;
          } else {
            *reinterpret_cast<uint2 *>(to + (piece * kColumns + moved) * 2) = make_uint2(ptx::pack(total.x, total.y, Dtype{}), ptx::pack(total.z, total.w, Dtype{}));
          }
        }
      }
    }
  }

  // How much each warp's share of a row counts in the row's result; the row's LSE.
  static __device__ __forceinline__ float weigh_warps(const Shared &shared, i32 row, float v_scale, float (&weights)[decode_warps]) {
    float shift = shared.shift[row][0];
#pragma unroll
    for (int w = 1; w < decode_warps; ++w) shift = fmaxf(shift, shared.shift[row][w]);
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < decode_warps; ++w) {
      weights[w] = ptx::exp2(shared.shift[row][w] - shift);
      sum += shared.sum[row][w] * weights[w];
    }
    const float scale = normaliser(sum) * v_scale;
#pragma unroll
    for (int w = 0; w < decode_warps; ++w) weights[w] *= scale;
    return natural_lse(shift, sum);
  }

  // The CTA that is the last to finish one of a unit's pieces merges them all, in the plan's order, whoever it is. The counter is 0 again afterwards.
  static __device__ __forceinline__ void merge_pieces(const AttentionParams &p, Shared &shared, i32 index, const MergePlan &plan, i32 warp, u32 lane) {
    // All threads' partial rows are written.
    ptx::named_barrier<kMergeThreads>(kMergeBarrier);
    if (warp == 0 && lane == 0) {
      MergeItem *merge = const_cast<MergeItem *>(p.merges + index);
      const bool is_last = ptx::atomic_add_acq_rel(&merge->arrivals, 1) + 1 == plan.num_partials;
      shared.is_last_piece = is_last;
      if (is_last) merge->arrivals = 0;
    }
    ptx::named_barrier<kMergeThreads>(kMergeBarrier);
    if (shared.is_last_piece) merge_rows<Dtype, Traits::kDimVo, kMergesAtOnce, false>(p, plan, warp, decode_warps, lane);
  }
};

}  // namespace fp

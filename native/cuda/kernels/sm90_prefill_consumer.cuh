// sm90_prefill_consumer.cuh: a warpgroup's 64 rows: scores, softmax, weighted sums, and the result.
#pragma once
#include "kernels/sm90_prefill_units.cuh"
#include "parts/online_softmax.cuh"
#include "parts/store_rows.cuh"
#include "ptx/mma_sm80.cuh"
#include "ptx/wgmma_sm90.cuh"

namespace fp {

template <typename Traits>
class PrefillConsumer90 {
  using Dtype = typename Traits::Dtype;
  using Shared = PrefillShared90<Traits>;
  static constexpr int kTokens = Traits::kTokens;
  static constexpr int kScores = kTokens / 2;        // of a thread
  static constexpr int kOutputs = Traits::kDimVo / 2;
  static constexpr int kQkSteps = Traits::kDimQk / 16;
  static constexpr int kPvSteps = kTokens / 16;
  static constexpr bool kQueryInRegisters = Traits::kTile.query_in_registers;
  // The next unit's q can be had before this unit is done with its own.
  static constexpr bool kOverlapUnits = kQueryInRegisters;
  using ScoreProduct = ptx::Wgmma<kTokens, Dtype, 0>;
  using ValueProduct = ptx::Wgmma<Traits::kDimVo, Dtype, 1>;
  // Named barriers; 0 is __syncthreads.
  static constexpr u32 kTurnBarrier = 1;   // one a group: its turn to issue products
  static constexpr u32 kGroupBarrier = 4;  // one a group: its own threads

 public:
  static __device__ __forceinline__ void run(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 group = threadIdx.x / 128 - 1;
    const u32 lane = threadIdx.x % 32;
    PrefillConsumer90 self{p, shared, group, lane};
    // The first turn is the first group's.
    if (group == Traits::kConsumers - 1) self.pass_turn();
    self.walk();
  }

 private:
  const AttentionParams &p;
  Shared &shared;
  const u32 group;
  const u32 lane;
  UnitReader<Traits> reader{};
  RingPosition<Traits::kStages> k_{};

  // Row of the tile: this thread's are this and the one eight further.
  __device__ __forceinline__ i32 first_row() const { return static_cast<i32>(group * 64 + threadIdx.x % 128 / 32 * 16 + lane / 4); }

  __device__ __forceinline__ void await_turn() const { ptx::named_barrier<256>(kTurnBarrier + group); }
  __device__ __forceinline__ void pass_turn() const { ptx::named_barrier_arrive<256>(kTurnBarrier + (group + 1 == Traits::kConsumers ? 0 : group + 1)); }

  __device__ __forceinline__ void release(u64 &barrier) const {
    if (lane == 0) ptx::mbarrier_arrive(ptx::shared_address(&barrier));
  }
  __device__ __forceinline__ void await(u64 &barrier, u32 phase) const {
    ptx::mbarrier_wait(ptx::shared_address(&barrier), phase);
  }

  // This group's rows of q, in registers or where the producer put them.
  struct Queries {
    u32 fragments[kQueryInRegisters ? kQkSteps : 1][4];
  };

  __device__ __forceinline__ void load_queries(Queries &queries) const {
    await(shared.q_full[q().slot()], q().phase());
    if constexpr (kQueryInRegisters) {
      using Tile = typename Traits::QueryTile;
      const u32 base = ptx::shared_address(&shared.q[q().slot()]);
      const u32 row = group * 64 + threadIdx.x % 128 / 32 * 16 + lane % 16;
#pragma unroll
      for (int step = 0; step < kQkSteps; ++step) ptx::ldmatrix_x4(queries.fragments[step], base + Tile::offset(row, step * 2 + lane / 16));
      __syncwarp();
      release(shared.q_empty[q().slot()]);
    }
  }

  // scores = q . K of the tile in ring slot k_. Issues only.
  __device__ __forceinline__ void issue_scores(float (&scores)[kScores], const Queries &queries) const {
    using QueryTile = typename Traits::QueryTile;
    using KeyTile = typename Traits::KeyTile;
    const u64 b = KeyTile::k_major(ptx::shared_address(&shared.k[k_.slot()]));
    if constexpr (kQueryInRegisters) {
#pragma unroll
      for (int step = 0; step < kQkSteps; ++step) ScoreProduct::registers(scores, queries.fragments[step], b + KeyTile::k_major_step(step), step > 0);
    } else {
      const u64 a = QueryTile::k_major(ptx::shared_address(&shared.q[q().slot()]) + group * 8 * QueryTile::kGroupBytes);
#pragma unroll
      for (int step = 0; step < kQkSteps; ++step) ScoreProduct::shared(scores, a + QueryTile::k_major_step(step), b + KeyTile::k_major_step(step), step > 0);
    }
    ptx::wgmma_commit();
  }

  __device__ __forceinline__ RingPosition<Traits::kQueryBuffers> q() const { return {reader.index()}; }
  // V of the tile whose scores were issued `behind` tiles ago.
  __device__ __forceinline__ RingPosition<Traits::kStages> v(u32 behind) const { return {k_.count - behind}; }

  // out += weights . V of the tile in that ring slot. Issues only.
  __device__ __forceinline__ void issue_values(float (&out)[kOutputs], const u32 (&weights)[kPvSteps][4], u32 slot) const {
    using Tile = typename Traits::ValueTile;
    const u64 b = Tile::n_major(ptx::shared_address(&shared.v[slot]));
#pragma unroll
    for (int step = 0; step < kPvSteps; ++step) ValueProduct::registers(out, weights[step], b + Tile::n_major_step(step), 1);
    ptx::wgmma_commit();
  }

  // What a page holds behind the list's last token may be NaN, and 0 x NaN is NaN: rows behind it become zeros. Every group does it for
  // itself, with the same zeros.
  __device__ __forceinline__ void clear_value_tail(i32 first_token, RingPosition<Traits::kStages> position) const {
    if constexpr (!Traits::kGather) {
      await(shared.v_full[position.slot()], position.phase());
      using Tile = typename Traits::ValueTile;
      for (u32 i = static_cast<u32>(first_token) * Tile::kChunks + threadIdx.x % 128; i < kTokens * Tile::kChunks; i += 128) {
        *reinterpret_cast<uint4 *>(shared.v[position.slot()] + Tile::offset(i / Tile::kChunks, i % Tile::kChunks)) = make_uint4(0, 0, 0, 0);
      }
      ptx::fence_async_shared();
      ptx::named_barrier<128>(kGroupBarrier + group);
    }
  }

  static __device__ __forceinline__ void pack_weights(u32 (&weights)[kPvSteps][4], const float (&scores)[kScores]) {
#pragma unroll
    for (int step = 0; step < kPvSteps; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) weights[step][i] = ptx::pack(scores[8 * step + 2 * i], scores[8 * step + 2 * i + 1], Dtype{});
    }
  }

  // A KV tile of the present unit.
  struct Place {
    i32 tile;
    i32 last;    // the last tile of the unit to be walked: the one with the first tokens
    i32 length;  // tokens of the list in the tile, or more
    i32 all_begin;  // as PrefillUnit
    i32 all_end;
    __device__ __forceinline__ bool sees_all() const { return tile * kTokens >= all_begin && (tile + 1) * kTokens <= all_end; }
  };

  // The next unit that sees any token, at its first tile; units that see none get their zeros on the way. False: there are no more.
  __device__ __forceinline__ bool next_unit(Place &place) {
    for (;;) {
      const PrefillUnit &unit = reader.next(shared);
      if (unit.item < 0) return false;
      const TileRange<Traits> tiles(unit);
      if (tiles.begin < tiles.end) {
        // Only the first tile walked can reach behind the list.
        place = {tiles.end - 1, tiles.begin, unit.kv_len - (tiles.end - 1) * kTokens, unit.all_begin, unit.all_end};
        return true;
      }
      await(shared.q_full[q().slot()], q().phase());
      release(shared.q_empty[q().slot()]);
      float out[kOutputs], scale[2];
      clear(out);
      RowSoftmax<kScores> softmax;
      finish_rows(softmax, scale, reader.index());
      store(out, scale, reader.index());
    }
  }

  static __device__ __forceinline__ void clear(float (&out)[kOutputs]) {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) out[i] = 0.f;
  }

  // All units' tiles are one stream. A step issues the scores of the next tile, then the values of this one, and while the values are under
  // way does the softmax of the next tile, which may be another unit's.
  __device__ __forceinline__ void walk() {
    Place place;
    while (next_unit(place)) {
      float out[kOutputs], scores[kScores];
      u32 weights[kPvSteps][4];
      RowSoftmax<kScores> softmax;
      Queries queries;
      clear(out);
      load_queries(queries);
      await(shared.k_full[k_.slot()], k_.phase());
      ptx::wgmma_fence();
      issue_scores(scores, queries);
      ptx::wgmma_wait<0>();
      ptx::wgmma_pin(scores);
      finish_scores(place);
      adjust(scores, place);
      float factor[2];
      softmax.update(scores, p.score_scale, factor);
      pack_weights(weights, scores);

      for (;;) {
        // From here on `length` is of the tile whose values are due, and the rest of `place` of the tile whose scores are.
        i32 length = place.length;
        const bool same_unit = place.tile > place.last;
        u32 done = reader.index();
        if (same_unit) {
          --place.tile;
          place.length = kTokens;
        } else {
          if (!kOverlapUnits) break;
          finish_rows(softmax, factor, done);
          softmax = RowSoftmax<kScores>();
          if (!next_unit(place)) {
            finish_values(out, weights, length, factor, done);
            return;
          }
          load_queries(queries);
        }
        await(shared.k_full[k_.slot()], k_.phase());
        if (length < kTokens) clear_value_tail(length, v(1));
        await_turn();
        ptx::wgmma_fence();
        issue_scores(scores, queries);
        await(shared.v_full[v(1).slot()], v(1).phase());
        ptx::wgmma_fence();
        issue_values(out, weights, v(1).slot());
        pass_turn();
        ptx::wgmma_wait<1>();
        ptx::wgmma_pin(scores);
        finish_scores(place);
        adjust(scores, place);
        float carry[2];
        const bool rising = softmax.update(scores, p.score_scale, carry);
        ptx::finish_first(softmax.sum[0] + softmax.sum[1]);
        ptx::wgmma_wait<0>();
        ptx::wgmma_pin(out);
        release(shared.v_empty[v(2).slot()]);
        if (!same_unit) {
          store(out, factor, done);
          clear(out);
        } else if (rising) {
#pragma unroll
          for (int i = 0; i < kOutputs; ++i) out[i] *= carry[i / 2 % 2];
        }
        pack_weights(weights, scores);
      }
      finish_rows(softmax, factor, reader.index());
      finish_values(out, weights, place.length, factor, reader.index());
    }
  }

  // The scores of a tile are there: its K, and after the last tile q, are free.
  __device__ __forceinline__ void finish_scores(const Place &place) {
    release(shared.k_empty[k_.slot()]);
    k_.next();
    if (!kQueryInRegisters && place.tile == place.last) release(shared.q_empty[q().slot()]);
  }

  // The values of a unit's last tile, when there are no scores to issue with them.
  __device__ __forceinline__ void finish_values(float (&out)[kOutputs], const u32 (&weights)[kPvSteps][4], i32 length, const float (&scale)[2], u32 unit) {
    await(shared.v_full[v(1).slot()], v(1).phase());
    if (length < kTokens) clear_value_tail(length, v(1));
    ptx::wgmma_fence();
    issue_values(out, weights, v(1).slot());
    ptx::wgmma_wait<0>();
    ptx::wgmma_pin(out);
    release(shared.v_empty[v(1).slot()]);
    store(out, scale, unit);
  }

  __device__ __forceinline__ void adjust(float (&scores)[kScores], const Place &place) const {
    if constexpr (Traits::kFeatures) {
      if (p.cap_scale != 0.f) {
#pragma unroll
        for (int i = 0; i < kScores; ++i) scores[i] = soft_cap(scores[i], p.cap_scale);
      }
    }
    if (!place.sees_all()) {
      mask_scores_sm90<kTokens, Traits::kFeatures>(p, reader.at(shared, reader.index()), first_row(), scores, place.tile * kTokens, lane);
    }
  }

  // A unit's softmax is complete: stores its LSE, and gives what the rows' sums of values are to be multiplied by.
  __device__ __forceinline__ void finish_rows(RowSoftmax<kScores> &softmax, float (&scale)[2], u32 index) const {
    softmax.add_up_lanes();
    const PrefillUnit &unit = reader.at(shared, index);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      scale[half] = normaliser(softmax.sum[half]);
      if (unit.partial_row >= -1 && lane % 4 == 0) {
        store_lse(p, unit.rows(), {unit.partial_row, unit.head * p.group}, first_row() + 8 * half, natural_lse(softmax.shift[half], softmax.sum[half]));
      }
    }
  }

  // Stores a unit's output and lets go of the unit.
  __device__ __forceinline__ void store(const float (&out)[kOutputs], const float (&scale)[2], u32 index) {
    const PrefillUnit &unit = reader.at(shared, index);
    if (unit.partial_row >= -1) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        store_row<Traits::kDimVo, Dtype>(p, unit.rows(), {unit.partial_row, unit.head * p.group}, first_row() + 8 * half, out, half, scale[half], lane);
      }
    }
    reader.release(shared, index, lane);
  }

  __device__ __forceinline__ PrefillConsumer90(const AttentionParams &params, Shared &shared_memory, u32 warpgroup, u32 warp_lane)
      : p(params), shared(shared_memory), group(warpgroup), lane(warp_lane) {}
};

}  // namespace fp

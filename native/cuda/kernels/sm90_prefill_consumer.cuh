// sm90_prefill_consumer.cuh: a warpgroup's 64 rows: scores, softmax, weighted sums, and the result.
#pragma once
#include "kernels/sm90_prefill_units.cuh"
#include "parts/prefill_scales_sm90.cuh"
#include "parts/prefill_weights_sm90.cuh"
#include "parts/store_rows.cuh"
#include "ptx/mma_fp8_sm89.cuh"
#include "ptx/mma_sm80.cuh"
#include "ptx/wgmma_fp8_sm90.cuh"

namespace fp {

template <typename Traits>
class PrefillConsumer90 {
  using Dtype = typename Traits::Dtype;
  using Operand = typename Traits::Operand;
  using Shared = PrefillShared90<Traits>;
  static constexpr int kTokens = Traits::kTokens;
  static constexpr int kScores = kTokens / 2;        // of a thread
  static constexpr int kOutputs = Traits::kDimVo / 2;
  static constexpr int kQkSteps = Traits::kDimQk / Traits::kStepDepth;
  static constexpr int kPvSteps = kTokens / Traits::kStepDepth;
  static constexpr bool kQueryInRegisters = Traits::kTile.query_in_registers;
  // The next unit's q can be had before this unit is done with its own.
  static constexpr bool kOverlapUnits = kQueryInRegisters || Traits::kQueryBuffers > 1;
  // A unit's first values overwrite out, instead of adding to zeros: where a register can be had to remember it.
  static constexpr bool kOverwrites = kOverlapUnits && !Traits::kGather;
  using Softmax = QuickSoftmax<Operand>;
  using Scales = PrefillScales<Traits::kFp8, Traits::kFeatures>;
  // Where registers are short.
  static constexpr bool kShortOfRegisters = Traits::kConsumers > 2;
  static constexpr bool kQuickSoftmax = Traits::kDimVo <= 192;
  // Of a tile at an end of what a unit sees, blocks of so many tokens that no row sees are left out of the softmax.
  static constexpr int kBlock = 32;
  static constexpr bool kSkipsBlocks = !Traits::kFp8 && !Traits::kFeatures && kQuickSoftmax && kTokens % kBlock == 0;
  using ScoreProduct = ptx::Wgmma<kTokens, Operand, 0>;
  using ValueProduct = ptx::Wgmma<Traits::kDimVo, Operand, Traits::kFp8 ? 0 : 1>;  // V in FP8 is transposed before
  static constexpr u32 kGroupBarrier = 1;  // named barriers, one a group, of its own threads; 0 is __syncthreads

 public:
  static __device__ __forceinline__ void run(const PrefillParams90 &params, Shared &shared) {
    const AttentionParams &p = params.attention;
    const u32 group = static_cast<u32>(ptx::uniform(static_cast<i32>(threadIdx.x / 128 - 1)));
    PrefillConsumer90{p, shared, group}.walk();
  }

 private:
  const AttentionParams &p;
  Shared &shared;
  const PrefillAddresses90<Traits> at;
  const u32 group;
  const bool is_first_lane;
  UnitReader<Traits> reader{};
  RingCursor<Traits::kStages> k_{};  // the next tile's K; the values of the tile before it are due

  // The first row of the tile that is a thread's warp's.
  static __device__ __forceinline__ u32 warp_row(u32 thread) { return (thread / 128 - 1) * 64 + thread % 128 / 32 * 16; }

  // Row of the tile: this thread's are this and the one eight further.
  static __device__ __forceinline__ i32 first_row() {
    const u32 thread = ptx::thread_anew();  // once a unit or two: not to be kept in registers till then
    return static_cast<i32>(warp_row(thread) + thread % 32 / 4);
  }

  // Row of the tile that a thread gives ldmatrix the address of.
  static __device__ __forceinline__ u32 fragment_row(u32 thread) { return warp_row(thread) + thread % 16; }

  __device__ __forceinline__ void release(u32 barrier) const {
    if (is_first_lane) ptx::mbarrier_arrive(barrier);
  }
  // What ordinary copies wrote must be fenced before the matrix units read it.
  static __device__ __forceinline__ void await(u32 barrier, u32 phase) {
    ptx::mbarrier_wait(barrier, phase);
    if constexpr (Traits::kGather) ptx::fence_async_shared();
  }

  // This group's rows of q, in registers or where the producer put them.
  struct Queries {
    u32 fragments[kQueryInRegisters ? kQkSteps : 1][4];
    Scales scales;
  };

  __device__ __forceinline__ void load_queries(Queries &queries) const {
    if constexpr (Traits::kFp8) queries.scales.read(p, present().head, first_row());
    await(at.q_full(q().slot()), q().phase());
    if constexpr (kQueryInRegisters) {
      using Tile = typename Traits::QueryTile;
      const u32 base = at.q(q().slot());
      // Once a unit: the addresses' parts are not to be kept in registers till then.
      const u32 thread = ptx::thread_anew();
#pragma unroll
      for (int step = 0; step < kQkSteps; ++step) ptx::ldmatrix_x4(queries.fragments[step], base + Tile::offset(fragment_row(thread), step * 2 + thread % 32 / 16));
      __syncwarp();
      release(at.q_empty(q().slot()));
    }
  }

  // The K (V) in a ring slot as an operand. All lanes have it alike, and the compiler learns of it here, once: so the descriptors of all
  // steps are sums of uniform registers.
  __device__ __forceinline__ ptx::MatrixDescriptor keys_at(u32 slot) const { return Traits::KeyTile::k_major(at.k(slot)).uniform(); }
  __device__ __forceinline__ ptx::MatrixDescriptor values_at(u32 slot) const {
    if constexpr (Traits::kFp8) {
      return Traits::ValueTile::k_major(at.v(slot)).uniform();
    } else {
      return Traits::ValueTile::n_major(at.v(slot)).uniform();
    }
  }

  // scores = q . K. Issues only.
  __device__ __forceinline__ void issue_scores(float (&scores)[kScores], const Queries &queries, const ptx::MatrixDescriptor &b) const {
    using QueryTile = typename Traits::QueryTile;
    using KeyTile = typename Traits::KeyTile;
    if constexpr (kQueryInRegisters) {
#pragma unroll
      for (int step = 0; step < kQkSteps; ++step) ScoreProduct::registers(scores, queries.fragments[step], b.from(KeyTile::k_major_step(step)), step > 0);
    } else {
      const ptx::MatrixDescriptor a = QueryTile::k_major(at.q(q().slot()) + group * 8 * QueryTile::kGroupBytes);
#pragma unroll
      for (int step = 0; step < kQkSteps; ++step) {
        ScoreProduct::shared(scores, a.from(QueryTile::k_major_step(step)), b.from(KeyTile::k_major_step(step)), step > 0);
      }
    }
    ptx::wgmma_commit();
  }

  __device__ __forceinline__ RingPosition<Traits::kQueryBuffers> q() const { return {reader.index()}; }

  // out = weights . V, or if `accumulate`, the sum of both. Issues only.
  __device__ __forceinline__ void issue_values(float (&out)[kOutputs], const u32 (&weights)[kPvSteps][4], const ptx::MatrixDescriptor &b, bool accumulate) const {
    using Tile = typename Traits::ValueTile;
#pragma unroll
    for (int step = 0; step < kPvSteps; ++step) {
      const u32 place = Traits::kFp8 ? Tile::k_major_step(step) : Tile::n_major_step(step);
      ValueProduct::registers(out, weights[step], b.from(place), !kOverwrites || step > 0 || accumulate);
    }
    ptx::wgmma_commit();
  }

  // What a page holds behind the list's last token may be NaN, and 0 x NaN is NaN: rows behind it become zeros. Of a unit's tiles only the
  // first reaches behind it: to be called when that one's values are due. Every group does it for itself, with the same zeros. (V in FP8 comes
  // without them: sm90_prefill_fp8_producer.cuh.)
  __device__ __forceinline__ void clear_value_tail() const {
    if constexpr (!Traits::kGather && !Traits::kFp8) {
      const i32 tail = present().tail;
      if (tail >= kTokens) return;
      await(at.v_full(k_.slot_before()), k_.phase_before());
      using Tile = typename Traits::ValueTile;
      const u32 thread = ptx::thread_anew();
      for (u32 i = static_cast<u32>(max(tail, 0)) * Tile::kChunks + thread % 128; i < kTokens * Tile::kChunks; i += 128) {
        *reinterpret_cast<uint4 *>(shared.v[k_.slot_before()] + Tile::offset(i / Tile::kChunks, i % Tile::kChunks)) = make_uint4(0, 0, 0, 0);
      }
      ptx::fence_async_shared();
      ptx::named_barrier<128>(kGroupBarrier - 1 + thread / 128);
    }
  }

  static __device__ __forceinline__ void pack_weights(u32 (&weights)[kPvSteps][4], const float (&scores)[kScores]) { pack_prefill_weights(weights, scores, Operand{}); }

  // A KV tile of the present unit.
  struct Place {
    i32 tile;
    i32 plain_begin;  // down to this one, tiles below the unit's plain_end need no mask
  };
  __device__ __forceinline__ const PrefillUnit &present() const { return reader.at(shared, reader.index()); }

  enum class Next { kTiles, kNothing, kOver };

  // Waits for the next unit, which has tiles, or sees nothing, or says that there are no more. `place`: its first tile, if it has one.
  __device__ __forceinline__ Next take_unit(Place &place) {
    const PrefillUnit &unit = reader.next(shared);
    const PrefillTiles tiles = unit.tiles;
    if (unit.item < 0) return Next::kOver;
    place = {tiles.first, tiles.plain_begin};
    return tiles.last > tiles.first ? Next::kNothing : Next::kTiles;
  }

  // Gives units that see nothing their zeros, until one comes that has tiles. False: there are no more. No unit before them may be held: the producer
  // needs its place, however few there are, to bring the next.
  __device__ __forceinline__ bool skip_empty_units(Place &place, Next next) {
    while (next == Next::kNothing) {
      await(at.q_full(q().slot()), q().phase());
      __syncwarp();
      release(at.q_empty(q().slot()));
      float out[kOutputs], scale[2];
      clear(out);
      Softmax softmax;
      finish_rows(softmax, scale, reader.index());
      store(out, scale, reader.index());
      next = take_unit(place);
    }
    return next == Next::kTiles;
  }

  static __device__ __forceinline__ void clear(float (&out)[kOutputs]) {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) out[i] = 0.f;
  }

  // What is under way in registers, of one tile: its scores, or the weights made of them, and its unit's state.
  struct Rows {
    float out[kOutputs];
    float scores[kScores];
    u32 weights[kPvSteps][4];
    Softmax softmax;
    Queries queries;
    bool accumulate;  // false: out is to be overwritten by the next values

    __device__ __forceinline__ void forget() {
      accumulate = false;
      if (!kOverwrites) clear(out);
    }
  };

  // All units' tiles are one stream. A step issues the scores of the next tile, then the values of this one, and while the values are under
  // way does the softmax of the next tile, which may be another unit's.
  __device__ __forceinline__ void walk() {
    Place place;
    Rows rows;
    Next next = take_unit(place);
    while (skip_empty_units(place, next)) {
      begin(rows, place);
      for (;;) {
        const PrefillTiles tiles = present().tiles;
        if (!Traits::kFeatures && place.tile > place.plain_begin && place.tile <= tiles.plain_end) {
#pragma unroll 1
          do {
            --place.tile;
            issue_step(rows);
            finish_later_step<true>(rows, place);
            pack_weights(rows.weights, rows.scores);
          } while (place.tile > place.plain_begin);
          continue;
        }
        if (place.tile > tiles.last) {
          --place.tile;
          issue_step(rows);
          finish_later_step<false>(rows, place);
          pack_weights(rows.weights, rows.scores);
          continue;
        }
        const u32 done = reader.index();
        if (!kQueryInRegisters) release(at.q_empty(q().slot()));
        if (kOverlapUnits) next = take_unit(place);
        if (!kOverlapUnits || next != Next::kTiles) {
          float scale[2];
          finish_rows(rows.softmax, scale, done);
          finish_values(rows, scale, done);
          if (!kOverlapUnits) next = take_unit(place);
          break;
        }
        RowSoftmax last = rows.softmax;
        rows.softmax = Softmax();
        load_queries(rows.queries);
        issue_step(rows);
        float scale[2];
        if (!kShortOfRegisters) finish_rows(last, scale, done);
        finish_first_step(rows, place);
        if (kShortOfRegisters) finish_rows(last, scale, done);
        store(rows.out, scale, done);
        rows.forget();
        pack_weights(rows.weights, rows.scores);
        clear_value_tail();
      }
    }
  }

  // The first tile of the stream: its values are not issued yet.
  __device__ __forceinline__ void begin(Rows &rows, const Place &place) {
    rows.forget();
    rows.softmax = Softmax();
    load_queries(rows.queries);
    await(at.k_full(k_.slot), k_.phase);
    ptx::wgmma_fence();
    issue_scores(rows.scores, rows.queries, keys_at(k_.slot));
    ptx::wgmma_wait<0>();
    ptx::wgmma_pin(rows.scores);
    release(at.k_empty(k_.slot));
    k_.next();
    adjust(rows, place);
    float carry[2];
    rows.softmax.update(rows.scores, rows.queries.scales.score(p), carry);
    pack_weights(rows.weights, rows.scores);
    clear_value_tail();
  }

  // Scores of the next tile and values of this one.
  __device__ __forceinline__ void issue_step(Rows &rows) {
    await(at.k_full(k_.slot), k_.phase);
    ptx::wgmma_fence();
    issue_scores(rows.scores, rows.queries, keys_at(k_.slot));
    await(at.v_full(k_.slot_before()), k_.phase_before());
    ptx::wgmma_fence();
    issue_values(rows.out, rows.weights, values_at(k_.slot_before()), rows.accumulate);
    rows.accumulate = true;
  }

  // Softmax of those scores by their rows' maxima, and the end of those products. True if what was summed up before is to be multiplied by carry.
  // kPlain: no score needs adjusting.
  template <bool kPlain>
  __device__ __forceinline__ bool finish_by_maxima(Rows &rows, const Place &place, float (&carry)[2]) {
    ptx::wgmma_wait<1>();
    ptx::wgmma_pin(rows.scores);
    release(at.k_empty(k_.slot));
    if (!kPlain) adjust(rows, place);
    const bool rising = rows.softmax.update(rows.scores, rows.queries.scales.score(p), carry);
    ptx::finish_first(rows.softmax.sum[0] + rows.softmax.sum[1]);
    end_values(rows);
    return rising;
  }

  // The end of a step to a unit's first tile: the products were of the unit before it, so nothing is multiplied.
  __device__ __forceinline__ void finish_first_step(Rows &rows, const Place &place) {
    if constexpr (!kSkipsBlocks) {
      float carry[2];
      finish_by_maxima<false>(rows, place, carry);
    } else {
      ptx::wgmma_wait<1>();
      ptx::wgmma_pin(rows.scores);
      release(at.k_empty(k_.slot));
      weigh_first<kBlock>(rows, place, present().kv_end - place.tile * kTokens);
      ptx::finish_first(rows.softmax.sum[0] + rows.softmax.sum[1]);
      end_values(rows);
    }
  }

  // The softmax of a unit's first tile, of which no row sees more than `seen` tokens: of kSeen of them, if those are enough.
  template <int kSeen>
  __device__ __forceinline__ void weigh_first(Rows &rows, const Place &place, i32 seen) const {
    float carry[2];
    if constexpr (kSeen == kTokens) {
      adjust(rows, place);
      rows.softmax.update(rows.scores, rows.queries.scales.score(p), carry);
    } else if (seen <= kSeen) {
      float(&scores)[kSeen / 2] = reinterpret_cast<float (&)[kSeen / 2]>(rows.scores);
      mask_scores_sm90<kSeen, false>(p, present(), first_row(), scores, place.tile * kTokens, ptx::lane_anew());
      rows.softmax.update(scores, rows.queries.scales.score(p), carry);
#pragma unroll
      for (int i = kSeen / 2; i < kScores; ++i) rows.scores[i] = 0.f;
    } else {
      weigh_first<kSeen + kBlock>(rows, place, seen);
    }
  }

  // The end of a step to a tile that is not its unit's first.
  template <bool kPlain>
  __device__ __forceinline__ void finish_later_step(Rows &rows, const Place &place) {
    float carry[2];
    if constexpr (!kQuickSoftmax) {
      if (finish_by_maxima<kPlain>(rows, place, carry)) carry_over(rows.out, carry);
    } else {
      ptx::wgmma_wait<1>();
      ptx::wgmma_pin(rows.scores);
      float sums[2];
      if (!weigh_later<kPlain>(rows, place, sums)) {
        ptx::wgmma_wait<0>();
        ptx::wgmma_pin(rows.out);
        if (rows.softmax.raise_by_weights(rows.scores, sums, carry)) {
          carry_over(rows.out, carry);
        } else {
          compute_scores(rows.scores, rows.queries);
          if (!kPlain) adjust(rows, place);
          if (rows.softmax.update(rows.scores, rows.queries.scales.score(p), carry)) carry_over(rows.out, carry);
        }
      }
      release(at.k_empty(k_.slot));
      end_values(rows);
    }
  }

  // The softmax of a later tile by the shift there is, without its first half if no row sees any of that. False: its weights do not fit.
  template <bool kPlain>
  __device__ __forceinline__ bool weigh_later(Rows &rows, const Place &place, float (&sums)[2]) const {
    const auto scale = rows.queries.scales.score(p);
    if constexpr (!kPlain && kSkipsBlocks) {
      constexpr i32 kHalf = kTokens / 2;
      if (present().kv_begin - place.tile * kTokens >= kHalf) {
        float(&scores)[kScores / 2] = reinterpret_cast<float (&)[kScores / 2]>(rows.scores[kScores / 2]);
        mask_scores_sm90<kHalf, false>(p, present(), first_row(), scores, place.tile * kTokens + kHalf, ptx::lane_anew());
#pragma unroll
        for (int i = 0; i < kScores / 2; ++i) rows.scores[i] = 0.f;
        return rows.softmax.weigh_by_shift(scores, scale, sums);
      }
    }
    if (!kPlain) adjust(rows, place);
    return rows.softmax.weigh_by_shift(rows.scores, scale, sums);
  }

  // The products of V are done; the next tile is the present one.
  __device__ __forceinline__ void end_values(Rows &rows) {
    ptx::wgmma_wait<0>();
    ptx::wgmma_pin(rows.out);
    release(at.v_empty(k_.slot_before()));
    k_.next();
  }

  // scores = q . K of the next tile, by this warp alone: the others may not need it. Rarely wanted, so it is small rather than fast: eight
  // tokens at a time, which push the scores before them along.
  __device__ __forceinline__ void compute_scores(float (&scores)[kScores], const Queries &queries) const {
    using QueryTile = typename Traits::QueryTile;
    using KeyTile = typename Traits::KeyTile;
    const u32 thread = ptx::thread_anew();
    u32 keys = at.k(k_.slot);
#pragma unroll 1
    for (const u32 end = keys + Traits::KeyTile::kBytes; keys != end; keys += KeyTile::kGroupBytes) {
#pragma unroll
      for (int i = 0; i < kScores - 4; ++i) scores[i] = scores[i + 4];
      float sums[4] = {};
#pragma unroll kQueryInRegisters ? kQkSteps : 1
      for (int step = 0; step < kQkSteps; step += 2) {
        u32 b[4];
        ptx::ldmatrix_x4(b, keys + KeyTile::offset(thread % 8, step * 2 + thread % 32 / 8));
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          u32 a[4];
          if constexpr (kQueryInRegisters) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              // There are no such products of FP8 before sm_100: q is unpacked for each, and must not be once for all, as registers are short. Keys
              // lie at even addresses.
              a[i] = queries.fragments[step + half][i] ^ (Traits::kFp8 ? keys & 1 : 0);
            }
          } else {
            ptx::ldmatrix_x4(a, at.q(q().slot()) + QueryTile::offset(fragment_row(thread), (step + half) * 2 + thread % 32 / 16));
          }
          ptx::mma(sums, a, b[2 * half], b[2 * half + 1], Operand{});
        }
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[kScores - 4 + i] = sums[i];
    }
  }

  static __device__ __forceinline__ void carry_over(float (&out)[kOutputs], const float (&carry)[2]) {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) out[i] *= carry[i / 2 % 2];
  }

  // The values of a unit's last tile, when there are no scores to issue with them.
  __device__ __forceinline__ void finish_values(Rows &rows, const float (&scale)[2], u32 unit) {
    await(at.v_full(k_.slot_before()), k_.phase_before());
    ptx::wgmma_fence();
    issue_values(rows.out, rows.weights, values_at(k_.slot_before()), rows.accumulate);
    ptx::wgmma_wait<0>();
    ptx::wgmma_pin(rows.out);
    release(at.v_empty(k_.slot_before()));
    store(rows.out, scale, unit);
  }

  __device__ __forceinline__ void adjust(Rows &rows, const Place &place) const {
    float(&scores)[kScores] = rows.scores;
    if constexpr (Traits::kFeatures) {
      if (p.cap_scale != 0.f) {
#pragma unroll
        for (int i = 0; i < kScores; ++i) scores[i] = soft_cap(scores[i], rows.queries.scales.cap(p, i / 2 % 2));
      }
    }
    const PrefillUnit &unit = present();
    if (place.tile < place.plain_begin || place.tile >= unit.tiles.plain_end) {
      mask_scores_sm90<kTokens, Traits::kFeatures>(p, unit, first_row(), scores, place.tile * kTokens, ptx::lane_anew());
    }
  }

  // A unit's softmax is complete: stores its LSE, and gives what the rows' sums of values are to be multiplied by.
  __device__ __forceinline__ void finish_rows(RowSoftmax &softmax, float (&scale)[2], u32 index) const {
    softmax.add_up_lanes();
    const PrefillUnit &unit = reader.at(shared, index);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      scale[half] = normaliser(softmax.sum[half]) * KvScales<Traits::kFp8>(p, unit.head).value(p);
      if ((unit.partial_row >= 0 || (unit.partial_row == -1 && p.lse != nullptr)) && ptx::lane_anew() % 4 == 0) {
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
        store_row<Traits::kDimVo, Dtype, Traits::kFp8>(p, unit.rows(), {unit.partial_row, unit.head * p.group}, first_row() + 8 * half, out, half, scale[half], ptx::lane_anew());
      }
    }
    trace_unit(index);
    reader.release(shared, index, ptx::lane_anew());
  }

  // The first thread of the first group records each unit, from the end of the one before it on; the first of all from the CTA's begin on.
  __device__ __forceinline__ void trace_unit(u32 index) const {
    if (p.trace == nullptr) return;
    const PrefillUnit &unit = reader.at(shared, index);
    end_trace(p, shared.trace_begin, ptx::thread_anew() == 128, unit.item, unit.head, 1);
  }

  __device__ __forceinline__ PrefillConsumer90(const AttentionParams &params, Shared &shared_memory, u32 warpgroup)
      : p(params), shared(shared_memory), at{ptx::shared_address(&shared_memory)}, group(warpgroup), is_first_lane(threadIdx.x % 32 == 0) {}
};

}  // namespace fp

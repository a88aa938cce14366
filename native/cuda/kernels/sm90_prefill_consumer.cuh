// sm90_prefill_consumer.cuh: a warpgroup's 64 rows: scores, softmax, weighted sums, and the result.
#pragma once
#include "kernels/sm90_prefill_shared.cuh"
#include "parts/online_softmax.cuh"
#include "parts/prefill_mask_sm90.cuh"
#include "parts/store_rows.cuh"
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
    for (;;) {
      const PrefillUnit unit = self.reader.next(shared, lane);
      if (unit.item < 0) break;
      self.compute(unit);
    }
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
    // Rows that other threads copied by ordinary means.
    if constexpr (Traits::kGather) ptx::fence_async_shared();
  }

  // scores = q . K of the tile in ring slot k_. Issues only.
  __device__ __forceinline__ void issue_scores(float (&scores)[kScores]) const {
    const u64 a = ptx::matrix_descriptor_k_major(ptx::shared_address(&shared.q[q().slot()]) + group * 64 * 128);
    const u64 b = ptx::matrix_descriptor_k_major(ptx::shared_address(&shared.k[k_.slot()]));
#pragma unroll
    for (int step = 0; step < kQkSteps; ++step) {
      const u32 into = step % 4 * 32;
      ScoreProduct::shared(scores, a + ((step / 4 * SwizzledTile<Traits::kRows>::kBlockBytes + into) >> 4),
                           b + ((step / 4 * SwizzledTile<kTokens>::kBlockBytes + into) >> 4), step > 0);
    }
    ptx::wgmma_commit();
  }

  __device__ __forceinline__ RingPosition<Traits::kQueryBuffers> q() const { return {reader.count()}; }
  // V of the tile whose scores were issued `behind` tiles ago.
  __device__ __forceinline__ RingPosition<Traits::kStages> v(u32 behind) const { return {k_.count - behind}; }

  // out += weights . V of the tile in that ring slot. Issues only.
  __device__ __forceinline__ void issue_values(float (&out)[kOutputs], const u32 (&weights)[kPvSteps][4], u32 slot) const {
    const u64 b = ptx::matrix_descriptor_mn_major(ptx::shared_address(&shared.v[slot]), SwizzledTile<kTokens>::kBlockBytes);
#pragma unroll
    for (int step = 0; step < kPvSteps; ++step) ValueProduct::registers(out, weights[step], b + (step * 2048 >> 4), 1);
    ptx::wgmma_commit();
  }

  // What a page holds behind the list's last token may be NaN, and 0 x NaN is NaN: rows behind it become zeros. Every group does it for
  // itself, with the same zeros.
  __device__ __forceinline__ void clear_value_tail(i32 first_token, u32 slot) const {
    if constexpr (!Traits::kGather) {
      using Tile = SwizzledTile<kTokens>;
      u8 *tile = shared.v[slot];
      for (i32 i = first_token * 8 + static_cast<i32>(threadIdx.x % 128); i < kTokens * 8; i += 128) {
#pragma unroll
        for (int block = 0; block < Traits::kColumnsVo / 64; ++block) *reinterpret_cast<uint4 *>(tile + block * Tile::kBlockBytes + i * 16) = make_uint4(0, 0, 0, 0);
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

  __device__ __forceinline__ void compute(const PrefillUnit &unit) {
    const Item item(p, unit.item);
    const TileRange<Traits> tiles(item);
    float out[kOutputs];
    RowSoftmax<kScores> softmax;
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) out[i] = 0.f;
    if (tiles.begin < tiles.end) {
      const TileRows rows(p, item.tile, Traits::kRows);
      const PrefillMask<Traits::kFeatures> mask(p, item, unit.item, rows, lane);
      float scores[kScores];
      u32 weights[kPvSteps][4];

      await(shared.q_full[q().slot()], q().phase());
      await(shared.k_full[k_.slot()], k_.phase());
      ptx::wgmma_fence();
      issue_scores(scores);
      ptx::wgmma_wait<0>();
      ptx::wgmma_pin(scores);
      release(shared.k_empty[k_.slot()]);
      k_.next();
      i32 tile = tiles.end - 1;
      if (tile == tiles.begin) release(shared.q_empty[q().slot()]);
      adjust(scores, mask, unit.item, tile);
      softmax.first(scores, p.score_scale);
      pack_weights(weights, scores);
      // Only the first tile walked can reach behind the list.
      const i32 tail = __ldg(&p.tiles[item.tile].kv_len) - tile * kTokens;

      for (bool is_first = true; tile > tiles.begin; is_first = false) {
        --tile;
        await(shared.k_full[k_.slot()], k_.phase());
        if (is_first && tail < kTokens) {
          await(shared.v_full[v(1).slot()], v(1).phase());
          clear_value_tail(tail, v(1).slot());
        }
        await_turn();
        ptx::wgmma_fence();
        issue_scores(scores);
        await(shared.v_full[v(1).slot()], v(1).phase());
        ptx::wgmma_fence();
        issue_values(out, weights, v(1).slot());
        pass_turn();
        ptx::wgmma_wait<1>();
        ptx::wgmma_pin(scores);
        release(shared.k_empty[k_.slot()]);
        k_.next();
        if (tile == tiles.begin) release(shared.q_empty[q().slot()]);
        adjust(scores, mask, unit.item, tile);
        float carry[2];
        const bool rising = softmax.update(scores, p.score_scale, carry);
        ptx::wgmma_wait<0>();
        ptx::wgmma_pin(out);
        release(shared.v_empty[v(2).slot()]);
        if (rising) {
#pragma unroll
          for (int i = 0; i < kOutputs; ++i) out[i] *= carry[i / 2 % 2];
        }
        pack_weights(weights, scores);
      }

      await(shared.v_full[v(1).slot()], v(1).phase());
      if (tiles.begin + 1 == tiles.end && tail < kTokens) clear_value_tail(tail, v(1).slot());
      ptx::wgmma_fence();
      issue_values(out, weights, v(1).slot());
      ptx::wgmma_wait<0>();
      ptx::wgmma_pin(out);
      release(shared.v_empty[v(1).slot()]);
    } else {
      await(shared.q_full[q().slot()], q().phase());
      release(shared.q_empty[q().slot()]);
    }
    store(unit, item, out, softmax);
  }

  __device__ __forceinline__ void adjust(float (&scores)[kScores], const PrefillMask<Traits::kFeatures> &mask, i32 item, i32 tile) const {
    if constexpr (Traits::kFeatures) {
      if (p.cap_scale != 0.f) {
#pragma unroll
        for (int i = 0; i < kScores; ++i) scores[i] = soft_cap(scores[i], p.cap_scale);
      }
    }
    if (!mask.sees_all(tile * kTokens, kTokens)) mask.template apply<kTokens>(p, item, Traits::kRows, first_row(), scores, tile * kTokens, lane);
  }

  __device__ __forceinline__ void store(const PrefillUnit &unit, const Item &item, float (&out)[kOutputs], RowSoftmax<kScores> &softmax) const {
    softmax.add_up_lanes();
    const TileRows rows(p, item.tile, Traits::kRows);
    const i32 num_rows = rows.num_rows(p);
    bool fits;
    const RowTarget target(p, p.work + unit.item, unit.head, unit.head - item.head_begin, num_rows, fits);
    if (!fits) return;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const i32 row = first_row() + 8 * half;
      store_row<Traits::kDimVo, Dtype>(p, rows, target, row, row < num_rows, out, half, normaliser(softmax.sum[half]), natural_lse(softmax.shift[half], softmax.sum[half]), lane);
    }
  }

  __device__ __forceinline__ PrefillConsumer90(const AttentionParams &params, Shared &shared_memory, u32 warpgroup, u32 warp_lane)
      : p(params), shared(shared_memory), group(warpgroup), lane(warp_lane) {}
};

}  // namespace fp

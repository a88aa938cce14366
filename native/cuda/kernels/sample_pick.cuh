// sample_pick.cuh: the second half of sampling: one CTA a row finds the token.
//
//   no cut          the segment in which the draw falls, by sample_segments' sums; then that segment's logits alone
//   few tokens kept those that can be kept are gathered from the groups whose largest logit allows it, and sorted
//   many kept       the rank of the last token kept is bracketed by passes over the row, until the bracket's tokens can be gathered
//
// A rank (logit, then index) is unique, so "kept" is a comparison with one number, and ties need no care of their own. Worked example, vocabulary
// 128256, top_k 50: 4096 groups; the 50th largest of their maxima bounds the 50th largest logit from below; of some 50 groups 32 logits each are
// read, and about as many candidates as groups are sorted. The row itself is read once, by sample_segments.
#pragma once
#include "parts/philox.cuh"
#include "parts/sample_candidates.cuh"
#include "parts/sampling_weight.cuh"

namespace fp {

// Ranks least .. most hold the last token kept. Those above `most` are kept for certain.
struct RankBracket {
  u64 least;
  u64 most;
  u32 count_above;
  double mass_above;
};

class SamplePick {
 public:
  struct Shared {
    PickCta::Shared collective;
    u32 counter;
  };

  __device__ __forceinline__ SamplePick(const SampleParams &p, i32 row_index, Shared &shared, u64 *list)
      : row_(p.logits + row_index * p.row_bytes, p.vocab_size, p.dtype),
        params_(p.rows[row_index]),
        num_segments_(p.num_segments),
        segment_best_(p.segment_best + static_cast<i64>(row_index) * p.num_segments),
        segment_mass_(p.segment_mass + static_cast<i64>(row_index) * p.num_segments),
        group_max_(p.group_max + static_cast<i64>(row_index) * p.num_segments * sample_segment_threads),
        masses_(reinterpret_cast<double *>(list)),
        cta_(shared.collective),
        list_(list, shared.counter),
        best_(best_rank()),
        weight_(key_value(rank_key(best_)), params_.temperature) {}

  __device__ __forceinline__ u32 pick() {
    const float maximum = key_value(rank_key(best_));
    if (params_.temperature == 0.f || maximum == kInfinity || maximum == -kInfinity) return rank_index(best_);
    uniform_ = philox(params_.seed_lo, params_.seed_hi, params_.step) * 0x1p-32;
    const bool by_count = cuts_by_count(params_, static_cast<i32>(row_.size()));
    const bool by_mass = cuts_by_mass(params_);
    const bool cuts = by_count || by_mass;
    u64 last = 0;  // rank of the last token kept
    if (cuts) {
      // The target of a cut by mass alone; after a cut by count it is a share of what that leaves.
      double mass = by_count ? 0 : params_.top_p * total_mass();
      const u64 least = static_cast<u64>(by_count ? key_by_count(static_cast<u32>(params_.top_k)) : key_by_mass(mass)) << 32;
      const u32 count = list_.gather(row_, group_max_, num_groups(), least, best_);
      if (count <= sample_candidates) return draw_from_list(count, by_count, by_mass, mass);
#pragma unroll 1
      for (int cut = by_count ? 0 : 1; cut < (by_mass ? 2 : 1); ++cut) {
        if (cut == 1 && by_count) mass = params_.top_p * mass_from(last);
        last = max(last, find_last({least, best_, 0, 0}, count, cut == 1, static_cast<u32>(params_.top_k), mass));
      }
      weigh_stretches(last);
    } else {
      weigh_segments();
    }
    const u32 stretch = cuts ? stretch_size() : sample_segment;
    const u32 num_stretches = cuts ? kStretches : num_segments_;
    double threshold = 0;
    const Crossing crossing = find_crossing<true>(
        cta_, num_stretches, 0, [&](u32 i) { return masses_[i]; }, [&](double total) { return threshold = uniform_ * total; });
    const u32 begin = min(crossing.index, num_stretches - 1) * stretch;
    return draw_in_range(begin, min(begin + stretch, row_.size()), crossing.before, threshold, last);
  }

 private:
  static constexpr u32 kPackStep = sample_pick_threads * kLogitsPack;
  static constexpr u32 kStretches = sample_pick_threads / 32;

  __device__ __forceinline__ u32 num_groups() const { return num_segments_ * sample_segment_threads; }

  __device__ __forceinline__ u64 best_rank() {
    u64 best = 0;
#pragma unroll 1
    for (u32 i = threadIdx.x; i < num_segments_; i += sample_pick_threads) best = max(best, segment_best_[i]);
    return cta_.max(best);
  }

  // take(first, values) for the packs at begin, begin + step, ... below end.
  template <typename Take>
  __device__ __forceinline__ void for_packs(u32 begin, u32 end, u32 step, const Take &take) const {
#pragma unroll 1
    for (u32 first = begin; first < end; first += step) {
      float values[kLogitsPack];
      row_.load(first, values);
      take(first, values);
    }
  }

  // Of a segment, relative to the row's largest logit. The factor is rounded as a weight is, so that a segment of equal logits has its exact sum.
  __device__ __forceinline__ double mass_of_segment(u32 segment) const {
    return segment_mass_[segment] * weight_(key_value(rank_key(segment_best_[segment])));
  }

  __device__ __forceinline__ double total_mass() {
    double mass = 0;
#pragma unroll 1
    for (u32 i = threadIdx.x; i < num_segments_; i += sample_pick_threads) mass += mass_of_segment(i);
    return cta_.sum(mass);
  }

  // The largest key for which holds(key), which falls with the key and holds for 0; only bits in which keys differ are tried.
  template <typename Holds>
  __device__ __forceinline__ u32 largest_key(const Holds &holds) {
    u32 key = 0;
#pragma unroll 1
    for (int bit = 31; bit >= 32 - row_.key_bits(); --bit) {
      const u32 candidate = key | 1u << bit;
      if (holds(candidate)) key = candidate;
    }
    return key;
  }

  // As many groups as tokens are kept have a logit from this key on: so have as many tokens. 0 if there are too few groups.
  __device__ __forceinline__ u32 key_by_count(u32 wanted) {
    if (num_groups() < wanted) return 0;
    return largest_key([&](u32 key) {
      u32 count = 0;
#pragma unroll 2
      for (u32 i = threadIdx.x; i < num_groups(); i += sample_pick_threads) count += group_max_[i] >= key;
      return cta_.sum(count) >= wanted;
    });
  }

  // The largest logits of the groups from this key on have that mass. If all groups' together have not: tokens below the key returned are so
  // improbable that, as many as they may be, their mass is less than what may be cut off.
  __device__ __forceinline__ u32 key_by_mass(double wanted) {
    const auto groups_reach = [&](u32 key) {
      double mass = 0;
#pragma unroll 2
      for (u32 i = threadIdx.x; i < num_groups(); i += sample_pick_threads) {
        const u32 of_group = group_max_[i];
        if (of_group >= key) mass += weight_(key_value(of_group));
      }
      return cta_.sum(mass) >= wanted;
    };
    if (groups_reach(0)) return largest_key(groups_reach);
    const double spare = wanted / params_.top_p - wanted;
    const float least = static_cast<float>(spare / row_.size() * 0.999);
    return largest_key([&](u32 key) { return !(weight_(key_value(key)) > least); }) & ~((1u << (32 - row_.key_bits())) - 1);
  }

  // The tokens of a range of indices, from rank `last` on, weighed in order: the first whose running sum exceeds `threshold`. `begin` is a
  // multiple of 8, and so is `end`, or it is the row's. If none does, by rounding, it is the last one that has a weight.
  __device__ __forceinline__ u32 draw_in_range(u32 begin, u32 end, double base, double threshold, u64 last) {
    u32 fallback = 0;  // index + 1
#pragma unroll 1
    for (u32 tile = begin; tile < end; tile += kPackStep) {
      const u32 first = tile + threadIdx.x * kLogitsPack;
      float weights[kLogitsPack];
      double mine = 0;
      if (first < end) {
        row_.load(first, weights);
#pragma unroll
        for (int j = 0; j < kLogitsPack; ++j) {
          const bool kept = first + j < end && rank_of(order_key(weights[j]), first + j) >= last;
          weights[j] = kept ? weight_(weights[j]) : 0.f;
          mine += weights[j];
        }
      }
      double of_tile;
      const double upto = base + cta_.inclusive_sum(mine, of_tile);
      const u32 first_thread = ~cta_.max(mine > 0 && upto > threshold ? ~threadIdx.x : 0u);
      u32 index = 0;  // + 1: the token, or the last one here that has a weight
      if (mine > 0 && (first_thread == threadIdx.x || first_thread == ~0u)) {
        double reached = upto - mine;
#pragma unroll
        for (int j = 0; j < kLogitsPack; ++j) {
          const bool open = weights[j] > 0.f && (reached <= threshold || index == 0);
          index = open ? first + j + 1 : index;
          reached += weights[j];
        }
      }
      index = cta_.max(index);
      if (first_thread != ~0u) return index - 1;
      fallback = index > 0 ? index : fallback;
      base += of_tile;
    }
    return fallback > 0 ? fallback - 1 : rank_index(best_);
  }

  // The list has all tokens that can be kept.
  __device__ __forceinline__ u32 draw_from_list(u32 count, bool by_count, bool by_mass, double mass) {
    list_.sort(count);
    u32 kept = by_count ? min(count, static_cast<u32>(params_.top_k)) : count;
    const auto weight_at = [&](u32 i) { return static_cast<double>(weight_(key_value(rank_key(list_[i])))); };
    if (by_mass) {
      const Crossing crossing = find_crossing<false>(cta_, kept, 0, weight_at, [&](double total) { return by_count ? params_.top_p * total : mass; });
      kept = min(crossing.index + 1, kept);
    }
    // In order of their indices: as numbers that sort alike, with the key behind.
    __syncthreads();
#pragma unroll 1
    for (u32 i = threadIdx.x; i < kept; i += sample_pick_threads) list_[i] = list_[i] << 32 | rank_key(list_[i]);
    list_.sort(kept);
    const Crossing crossing = find_crossing<true>(
        cta_, kept, 0, [&](u32 i) { return static_cast<double>(weight_(key_value(static_cast<u32>(list_[i])))); },
        [&](double total) { return uniform_ * total; });
    return crossing.index < kept ? ~static_cast<u32>(list_[crossing.index] >> 32) : rank_index(best_);
  }

  // The mass of the tokens from rank `last` on.
  __device__ __forceinline__ double mass_from(u64 last) {
    double mass = 0;
    for_packs(threadIdx.x * kLogitsPack, row_.size(), kPackStep, [&](u32 first, const float(&values)[kLogitsPack]) {
      float of_pack = 0.f;
#pragma unroll
      for (int j = 0; j < kLogitsPack; ++j) {
        if (rank_of(order_key(values[j]), first + j) >= last && first + j < row_.size()) of_pack += weight_(values[j]);
      }
      mass += of_pack;
    });
    return cta_.sum(mass);
  }

  // A warp's, where tokens are weighed by a pass over the row; a multiple of 16.
  __device__ __forceinline__ u32 stretch_size() const { return (row_.size() + kStretches * 16 - 1) / (kStretches * 16) * 16; }

  // Of the tokens from rank `last` on.
  __device__ __forceinline__ void weigh_stretches(u64 last) {
    const u32 begin = min(threadIdx.x / 32 * stretch_size(), row_.size());
    const u32 end = min(begin + stretch_size(), row_.size());
    double mass = 0;
    for_packs(begin + threadIdx.x % 32 * kLogitsPack, end, 32 * kLogitsPack, [&](u32 first, const float(&values)[kLogitsPack]) {
      float of_pack = 0.f;
#pragma unroll
      for (int j = 0; j < kLogitsPack; ++j) {
        if (rank_of(order_key(values[j]), first + j) >= last) of_pack += weight_(values[j]);
      }
      mass += of_pack;
    });
#pragma unroll
    for (int step = 16; step > 0; step /= 2) mass += __shfl_xor_sync(0xffffffffu, mass, step);
    if (threadIdx.x % 32 == 0) masses_[threadIdx.x / 32] = mass;
    __syncthreads();
  }

  __device__ __forceinline__ void weigh_segments() {
#pragma unroll 1
    for (u32 i = threadIdx.x; i < num_segments_; i += sample_pick_threads) masses_[i] = mass_of_segment(i);
    __syncthreads();
  }

  // The rank of the last token kept, by count or by mass. `count` tokens are in the bracket.
  __device__ __forceinline__ u64 find_last(RankBracket bracket, u32 count, bool by_mass, u32 wanted_count, double wanted_mass) {
#pragma unroll 1
    for (bool by_value = true; count > sample_candidates; by_value = !by_value) count = narrow(bracket, by_value, by_mass, wanted_count, wanted_mass);
    count = list_.gather(row_, group_max_, num_groups(), bracket.least, bracket.most);
    list_.sort(count);
    if (count == 0) return bracket.least;
    u32 last;
    if (by_mass) {
      last = find_crossing<false>(
                 cta_, count, bracket.mass_above, [&](u32 i) { return static_cast<double>(weight_(key_value(rank_key(list_[i])))); },
                 [&](double) { return wanted_mass; })
                 .index;
    } else {
      last = wanted_count - bracket.count_above - 1;
    }
    const u64 rank = list_[min(last, count - 1)];
    __syncthreads();  // the list is used again
    return rank;
  }

  // Cuts the bracket into four, and goes on in the part that holds the last token kept. Returns how many tokens that has. Cut are the keys, and once
  // only one key is left, the lower halves of its ranks.
  __device__ __forceinline__ u32 narrow(RankBracket &bracket, bool by_value, bool by_mass, u32 wanted_count, double wanted_mass) {
    constexpr int kParts = 4;
    const u64 least = bracket.least, most = bracket.most;
    const u32 key = rank_key(least);
    const bool cuts_keys = key != rank_key(most);
    const u32 low = cuts_keys ? key : static_cast<u32>(least), high = cuts_keys ? rank_key(most) : static_cast<u32>(most);
    u32 cuts[kParts];  // where parts begin, upwards
    cuts[0] = low;
#pragma unroll
    for (int i = 1; i < kParts; ++i) cuts[i] = cut_of(low, high, i, by_value && cuts_keys);
    u32 counts[kParts] = {};  // of this part and those above
    double masses[kParts] = {};
    for_packs(threadIdx.x * kLogitsPack, row_.size(), kPackStep, [&](u32 first, const float(&values)[kLogitsPack]) {
      float of_pack[kParts] = {};
#pragma unroll
      for (int j = 0; j < kLogitsPack; ++j) {
        const u64 rank = rank_of(order_key(values[j]), first + j);
        if (rank < least || rank > most || first + j >= row_.size()) continue;
        const u32 place = cuts_keys ? rank_key(rank) : static_cast<u32>(rank);
        const float weight = by_mass ? weight_(values[j]) : 0.f;
#pragma unroll
        for (int i = 0; i < kParts; ++i) {
          counts[i] += place >= cuts[i];
          of_pack[i] += place >= cuts[i] ? weight : 0.f;
        }
      }
#pragma unroll
      for (int i = 0; i < kParts; ++i) masses[i] += of_pack[i];
    });
    // The highest part from which enough is kept; the lowest, if rounding denies it to all.
    u32 count_above = 0;
    double mass_above = 0;
    u32 count = 0;
    bool found = false;
#pragma unroll
    for (int i = kParts - 1; i >= 0; --i) {
      const u32 part_count = cta_.sum(counts[i]);
      const double part_mass = by_mass ? cta_.sum(masses[i]) : 0;
      if (found) continue;
      const bool enough = by_mass ? bracket.mass_above + part_mass >= wanted_mass : bracket.count_above + part_count >= wanted_count;
      const u64 from = i == 0 ? least : cuts_keys ? static_cast<u64>(cuts[i]) << 32 : static_cast<u64>(key) << 32 | cuts[i];
      if (enough || i == 0) {
        bracket.least = from;
        bracket.count_above += count_above;
        bracket.mass_above += mass_above;
        count = part_count - count_above;
        found = true;
      } else {
        bracket.most = from - 1;
        count_above = part_count;
        mass_above = part_mass;
      }
    }
    return count;
  }

  // Cut i of 4 in low + 1 .. high, evenly over the numbers, or over the values of which they are keys. The former makes every bracket a quarter,
  // the latter is good for usual logits; so they are taken in turn.
  __device__ __forceinline__ static u32 cut_of(u32 low, u32 high, int i, bool by_value) {
    u32 cut = low + static_cast<u32>(static_cast<u64>(high - low) * i / 4);
    const double low_value = key_value(low), high_value = key_value(high);
    if (by_value && low_value > -kInfinity) cut = order_key(static_cast<float>(low_value + (high_value - low_value) * 0.25 * i));
    return min(max(cut, low + 1), high);
  }

  const AnyLogitsRow row_;
  const SamplingRow params_;
  const u32 num_segments_;
  const u64 *segment_best_;
  const double *segment_mass_;
  const u32 *group_max_;
  double *masses_;  // where the list is, when it isn't used
  PickCta cta_;
  CandidateList list_;
  const u64 best_;
  const SamplingWeight weight_;
  double uniform_ = 0;
};

__device__ __forceinline__ void sample_pick(const SampleParams &p) {
  extern __shared__ __align__(16) u8 shared_memory[];
  __shared__ SamplePick::Shared shared;
  const i32 row = static_cast<i32>(blockIdx.x);
  SamplePick pick(p, row, shared, reinterpret_cast<u64 *>(shared_memory));
  const u32 token = pick.pick();
  if (threadIdx.x == 0) p.out[row] = static_cast<i32>(token);
}

}  // namespace fp

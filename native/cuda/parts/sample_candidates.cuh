// sample_candidates.cuh: the tokens among which a row's cut by count or by probability falls, in shared memory.
#pragma once
#include "parts/cta_collective.cuh"
#include "parts/logits.cuh"
#include "parts/sampling_groups.cuh"

namespace fp {

using PickCta = CtaCollective<sample_pick_threads>;

// A row whose dtype is known at run time, so that the long second half of sampling need not be compiled for each.
class AnyLogitsRow {
 public:
  __device__ __forceinline__ AnyLogitsRow(const char *row, u32 size, i32 dtype) : row_(row), size_(size), dtype_(dtype) {}

  __device__ __forceinline__ u32 size() const { return size_; }

  // Keys differ in so many upper bits: as f32, a positive 16-bit value ends in zeros, the key of a negative one in ones.
  __device__ __forceinline__ int key_bits() const { return dtype_ == kF32Logits ? 32 : dtype_ == kF16Logits ? 19 : 16; }

  __device__ __forceinline__ float at(u32 index) const {
    if (dtype_ == kF32Logits) return LogitsRow<F32Element>(row_, size_).at(index);
    const u16 bits = reinterpret_cast<const u16 *>(row_)[index];
    return dtype_ == kF16Logits ? ptx::to_float(bits, F16{}) : ptx::to_float(bits, Bf16{});
  }

  __device__ __forceinline__ void load(u32 first, float (&values)[kLogitsPack]) const {
    if (dtype_ == kF32Logits) {
      LogitsRow<F32Element>(row_, size_).load(first, values);
    } else if (dtype_ == kF16Logits) {
      LogitsRow<HalfElement<F16>>(row_, size_).load(first, values);
    } else {
      LogitsRow<HalfElement<Bf16>>(row_, size_).load(first, values);
    }
  }

 private:
  const char *row_;
  u32 size_;
  i32 dtype_;
};

class CandidateList {
 public:
  // list: sample_candidates ranks; counter: one number; both in shared memory.
  __device__ __forceinline__ CandidateList(u64 *list, u32 &counter) : list_(list), counter_(counter) {}

  __device__ __forceinline__ u64 &operator[](u32 i) { return list_[i]; }

  // Takes the tokens whose ranks are in least .. most, from the groups whose largest logit allows it. Returns how many there are; if that is more
  // than sample_candidates, the list is of no use. The order is not defined. A warp reads four groups at a time.
  __device__ __forceinline__ u32 gather(const AnyLogitsRow &row, const u32 *group_max, u32 num_groups, u64 least, u64 most) {
    constexpr int kAhead = 4;
    const u32 lane = threadIdx.x % 32;
    if (threadIdx.x == 0) counter_ = 0;
    __syncthreads();
    for (u32 begin = threadIdx.x / 32 * 32; begin < num_groups; begin += sample_pick_threads) {
      // num_groups is a multiple of 32.
      u32 pending = __ballot_sync(kAll, group_max[begin + lane] >= rank_key(least));
      while (pending != 0) {
        u32 index[kAhead];
        float logit[kAhead];
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          const u32 group = begin + static_cast<u32>(__ffs(static_cast<i32>(pending)) - 1);
          index[i] = pending == 0 ? ~0u : group / sample_segment_threads * sample_segment + place_in_segment(group % sample_segment_threads, lane);
          pending &= pending - 1;
          logit[i] = index[i] < row.size() ? row.at(index[i]) : 0.f;
        }
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          const u64 rank = rank_of(order_key(logit[i]), index[i]);
          append(index[i] < row.size() && rank >= least && rank <= most, rank);
        }
      }
    }
    __syncthreads();
    const u32 count = counter_;
    __syncthreads();  // the next one sets the counter anew
    return count;
  }

  // Sorts the first `count` numbers, the largest first: bitonic sort (Batcher, 1968). What follows them is overwritten.
  __device__ __forceinline__ void sort(u32 count) {
    u32 padded = 1;
    while (padded < count) padded *= 2;
#pragma unroll 1
    for (u32 i = count + threadIdx.x; i < padded; i += sample_pick_threads) list_[i] = 0;
    __syncthreads();
#pragma unroll 1
    for (u32 size = 2; size <= padded; size *= 2) {
#pragma unroll 1
      for (u32 stride = size / 2; stride > 0; stride /= 2) {
#pragma unroll 1
        for (u32 i = threadIdx.x; i < padded / 2; i += sample_pick_threads) {
          const u32 first = 2 * i - (i & (stride - 1));
          const u64 a = list_[first], b = list_[first + stride];
          if ((a < b) == ((first & size) == 0)) {
            list_[first] = b;
            list_[first + stride] = a;
          }
        }
        __syncthreads();
      }
    }
  }

 private:
  static constexpr u32 kAll = 0xffffffffu;

  // All lanes of a warp together.
  __device__ __forceinline__ void append(bool wanted, u64 rank) {
    const u32 wanting = __ballot_sync(kAll, wanted);
    if (wanting == 0) return;
    const u32 lane = threadIdx.x % 32;
    u32 begin = 0;
    if (lane == 0) begin = atomicAdd(&counter_, static_cast<u32>(__popc(wanting)));
    begin = __shfl_sync(kAll, begin, 0);
    const u32 place = begin + static_cast<u32>(__popc(wanting & ((1u << lane) - 1)));
    if (wanted && place < sample_candidates) list_[place] = rank;
  }

  u64 *list_;
  u32 &counter_;
};

// Where a running sum of weights reaches a target.
struct Crossing {
  u32 index;      // the number of weights, if it is never reached
  double before;  // sum of the weights before it, `base` included
  double total;   // sum of all weights, without `base`
};

// The first i of 0 .. count whose running sum base + weight_at(0) + ... + weight_at(i) reaches target(total), or, with kStrictly, exceeds it. A weight
// of 0 never does. Runs of weights are summed by the threads in turn, so that sums are in order up to rounding.
template <bool kStrictly, typename WeightAt, typename Target>
__device__ __forceinline__ Crossing find_crossing(PickCta &cta, u32 count, double base, const WeightAt &weight_at, const Target &target) {
  const u32 run = (count + sample_pick_threads - 1) / sample_pick_threads;
  const u32 begin = min(threadIdx.x * run, count);
  const u32 end = min(begin + run, count);
  double mine = 0;
#pragma unroll 1
  for (u32 i = begin; i < end; ++i) mine += weight_at(i);
  Crossing crossing;
  const double upto = base + cta.inclusive_sum(mine, crossing.total);
  const double wanted = target(crossing.total);
  const bool reaches = mine > 0 && (kStrictly ? upto > wanted : upto >= wanted);
  const u32 first_thread = ~cta.max(reaches ? ~threadIdx.x : 0u);
  u32 index = 0;
  double before = 0;
  if (first_thread == threadIdx.x) {
    double reached = upto - mine;
#pragma unroll 1
    for (u32 i = begin; i < end; ++i) {
      const double weight = weight_at(i);
      if (!(weight > 0)) continue;
      // Rounding may keep the sum below: then it is the run's last.
      index = i;
      before = reached;
      reached += weight;
      if (kStrictly ? reached > wanted : reached >= wanted) break;
    }
  }
  crossing.index = first_thread == ~0u ? count : cta.sum(index);
  crossing.before = cta.sum(before);
  return crossing;
}

}  // namespace fp

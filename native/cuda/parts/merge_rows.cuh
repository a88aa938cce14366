// merge_rows.cuh: the rows of a merge item: out = sum of 2^(lse_i - max) out_i, normalised (FlashInfer paper, section 2.2).
//
// Short: what counts is the chain of dependent reads (merge item, partial rows, their LSE and outputs). So the first two, which are the plan's, can be
// read before the partials are there; a warp has a row of its own, its lanes fetch the LSE of 64 partials at a time, and the outputs of 4, 16 or 32
// are under way at once, the first ones without waiting for any LSE.
#pragma once
#include "parts/attention_plan.cuh"
#include "parts/online_softmax.cuh"
#include "ptx/load.cuh"

namespace fp {

// Of no NaN. One instruction for all lanes, of integers in the same order.
__device__ __forceinline__ float warp_max(float x) {
  const i32 bits = __float_as_int(x);
  const i32 top = __reduce_max_sync(0xffffffffu, bits < 0 ? bits ^ 0x7fffffff : bits);
  return __int_as_float(top < 0 ? top ^ 0x7fffffff : top);
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

constexpr float kLog2e = 1.4426950408889634f;

// The weight of a state among others whose largest LSE is `max`; 0 if none has seen anything.
__device__ __forceinline__ float state_weight(float lse, float max) { return lse == -kInfinity ? 0.f : ptx::exp2((lse - max) * kLog2e); }

// What the plan says about a merge: the item, cut to what exists, and where this lane's share of the first 64 partials begins.
struct MergePlan {
  static constexpr i32 kHeld = 2;  // partials that a lane holds
  static constexpr i32 kBatch = 32 * kHeld;

  i32 token_begin;
  i32 kv_head;
  i32 num_rows;  // packed: 0 if the item names what does not exist
  const i32 *partials;  // workspace row of each partial's packed row 0
  i32 num_partials;
  i32 first[kHeld];  // of partials lane and lane + 32

  // What a merge item says, asked for but not looked at yet.
  struct Words {
    i32 token_begin;
    i32 num_tokens;
    i32 kv_head;
    i32 partials_begin;
    i32 num_partials;

    __device__ __forceinline__ Words() {}
    __device__ __forceinline__ Words(const MergeItem *merge)
        : token_begin(ptx::load_now(&merge->token_begin)),
          num_tokens(ptx::load_now(&merge->num_tokens)),
          kv_head(ptx::load_now(&merge->kv_head)),
          partials_begin(ptx::load_now(&merge->partials_begin)),
          num_partials(ptx::load_now(&merge->num_partials)) {}
  };

  __device__ __forceinline__ MergePlan(const AttentionParams &p, i32 index, u32 lane) : MergePlan(p, Words(p.merges + index), lane) {}
  __device__ __forceinline__ MergePlan(const AttentionParams &p, const Words &words, u32 lane) {
    token_begin = max(words.token_begin, 0);
    kv_head = words.kv_head;
    const i32 partials_begin = max(words.partials_begin, 0);
    num_partials = min(words.num_partials, p.max_partials - partials_begin);
    num_rows = min(words.num_tokens, p.num_tokens - token_begin) * p.group;
    if (static_cast<u32>(kv_head) >= static_cast<u32>(p.num_kv_heads) || p.max_partial_rows == 0) num_rows = 0;
    partials = p.partials + partials_begin;
    read(first, 0, lane);
  }

  __device__ __forceinline__ void read(i32 (&to)[kHeld], i32 begin, u32 lane) const {
    const i32 last = num_partials - 1;
    to[0] = to[1] = 0;
    if (last < 0) return;
#pragma unroll
    for (i32 h = 0; h < kHeld; ++h) to[h] = ptx::load_now(partials + min(begin + 32 * h + static_cast<i32>(lane), last));
  }
};

// Row r of a merge item: partial i's row lies at workspace row partials[i] + r.
// kSkipsUnseen: partials that have seen nothing may hold anything, NaN too; else they are zeros.
template <typename Dtype, int kDimVo, int kMostAtOnce, bool kSkipsUnseen>
struct MergeRow {
  static constexpr int kVectors = kDimVo / 4;  // of four columns
  static constexpr int kSteps = (kVectors + 31) / 32;
  // Partials whose outputs are asked for together, and how many such groups are under way at once: one, if there are no more, many, or as many as can be.
  static constexpr int kGroup = 4;
  static constexpr int kWide = 4 / kSteps;
  static constexpr int kWidest = kMostAtOnce / kGroup / kSteps;
  static constexpr i32 kHeld = MergePlan::kHeld;
  static_assert(kHeld == 2);

  const AttentionParams &p;
  const MergePlan &plan;
  i32 row;
  u32 lane;

  __device__ __forceinline__ i32 workspace_row(i32 first) const {
    return static_cast<i32>(min(static_cast<u32>(max(first, 0)) + static_cast<u32>(row), static_cast<u32>(p.max_partial_rows - 1)));
  }

  // The outputs of kGroup partials: of their rows of the workspace, which `held` has in the lanes from `begin` on. Without conditions: past the last
  // partial, and past a row's end, it is what exists anyway.
  __device__ __forceinline__ void load(float4 (&value)[kGroup][kSteps], i32 held, i32 begin) const {
#pragma unroll
    for (int u = 0; u < kGroup; ++u) {
      const i32 from_row = __shfl_sync(0xffffffffu, held, begin + u);
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        const char *column = reinterpret_cast<const char *>(p.partial_out) + min(static_cast<i32>(lane) + 32 * s, kVectors - 1) * 16;
        value[u][s] = ptx::load_written_4(column + static_cast<i64>(from_row) * (kDimVo * 4));
      }
    }
  }

  // Adds those outputs and their weights, which `held` has in the lanes from `begin` on; `count` of them are partials, the weights of others 0.
  static __device__ __forceinline__ void weigh(const float4 (&value)[kGroup][kSteps], float held, i32 begin, i32 count, float &sum, float4 (&total)[kSteps]) {
#pragma unroll
    for (int u = 0; u < kGroup; ++u) {
      const float weight = __shfl_sync(0xffffffffu, held, begin + u);
      sum += weight;
      // 0 times infinity would be NaN.
      const bool counts = kSkipsUnseen ? weight != 0.f : u < count;
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        if (counts) {
          total[s].x = fmaf(weight, value[u][s].x, total[s].x);
          total[s].y = fmaf(weight, value[u][s].y, total[s].y);
          total[s].z = fmaf(weight, value[u][s].z, total[s].z);
          total[s].w = fmaf(weight, value[u][s].w, total[s].w);
        }
      }
    }
  }

  // Adds `count` partials up, whose rows and LSE the lanes hold; the outputs of kGroups groups are under way at once, the first ones before any LSE is
  // there. All of a round are waited for together: a wait for some of a thread's reads is one for all that were made since.
  template <int kGroups>
  __device__ __forceinline__ void add_up(const i32 (&rows)[kHeld], float (&lse)[kHeld], i32 count, float &top, float &sum, float4 (&total)[kSteps]) const {
    float4 value[kGroups][kGroup][kSteps];
    load_groups(value, rows, 0);
#pragma unroll
    for (i32 h = 0; h < kHeld; ++h) {
      if (32 * h + static_cast<i32>(lane) >= count) lse[h] = -kInfinity;
    }
    const float before = top;
    float higher = top;
#pragma unroll
    for (i32 h = 0; h < kHeld; ++h) higher = fmaxf(higher, lse[h]);
    top = warp_max(higher);
    const float carry = state_weight(before, top);
    float weights[kHeld];
#pragma unroll
    for (i32 h = 0; h < kHeld; ++h) weights[h] = state_weight(lse[h], top);
    sum *= carry;
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      total[s].x *= carry;
      total[s].y *= carry;
      total[s].z *= carry;
      total[s].w *= carry;
    }
#pragma unroll 1
    for (i32 begin = 0;;) {
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        const i32 at = begin + g * kGroup;
        weigh(value[g], at < 32 ? weights[0] : weights[1], at % 32, count - at, sum, total);
      }
      begin += kGroups * kGroup;
      if (kGroups == 1 || begin >= count) break;
      load_groups(value, rows, begin);
    }
  }

  template <int kGroups>
  __device__ __forceinline__ void load_groups(float4 (&value)[kGroups][kGroup][kSteps], const i32 (&rows)[kHeld], i32 begin) const {
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      const i32 at = begin + g * kGroup;
      load(value[g], at < 32 ? rows[0] : rows[1], at % 32);
    }
  }

  __device__ __forceinline__ void run() const {
    float top = -kInfinity;
    float sum = 0.f;
    float4 total[kSteps];
#pragma unroll
    for (int s = 0; s < kSteps; ++s) total[s] = make_float4(0.f, 0.f, 0.f, 0.f);
    for (i32 begin = 0; begin < plan.num_partials; begin += MergePlan::kBatch) {
      const i32 count = min(plan.num_partials - begin, MergePlan::kBatch);
      i32 rows[kHeld];
      float lse[kHeld];
      if (begin == 0) {
#pragma unroll
        for (i32 h = 0; h < kHeld; ++h) rows[h] = plan.first[h];
      } else {
        plan.read(rows, begin, lane);
      }
#pragma unroll
      for (i32 h = 0; h < kHeld; ++h) {
        rows[h] = workspace_row(rows[h]);
        lse[h] = ptx::load_written(p.partial_lse + rows[h]);
      }
      if (count <= kGroup) {
        add_up<1>(rows, lse, count, top, sum, total);
      } else if (kWidest == kWide || count <= kWide * kGroup) {
        add_up<kWide>(rows, lse, count, top, sum, total);
      } else {
        add_up<kWidest>(rows, lse, count, top, sum, total);
      }
    }
    const float scale = normaliser(sum);
    const i32 token_of_merge = divide(row, p.by_group);
    const i32 token = plan.token_begin + token_of_merge;
    const i32 head = plan.kv_head * p.group + row - token_of_merge * p.group;
    char *to = p.out + row_place(token, p.out_token_bytes, head, p.out_head_bytes);
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      if (lane + 32 * s < kVectors) {
        reinterpret_cast<uint2 *>(to)[lane + 32 * s] =
            make_uint2(ptx::pack(total[s].x * scale, total[s].y * scale, Dtype{}), ptx::pack(total[s].z * scale, total[s].w * scale, Dtype{}));
      }
    }
    if (lane == 0 && p.lse != nullptr) p.lse[static_cast<i64>(token) * p.num_qo_heads + head] = sum == 0.f ? -kInfinity : top + ptx::log2(sum) * kLn2;
  }
};

// Rows first_row, first_row + row_step, ... of a merge item, by one warp.
template <typename Dtype, int kDimVo, int kMostAtOnce, bool kSkipsUnseen>
__device__ __forceinline__ void merge_rows(const AttentionParams &p, const MergePlan &plan, i32 first_row, i32 row_step, u32 lane) {
  for (i32 row = first_row; row < plan.num_rows; row += row_step) MergeRow<Dtype, kDimVo, kMostAtOnce, kSkipsUnseen>{p, plan, row, lane}.run();
}

}  // namespace fp

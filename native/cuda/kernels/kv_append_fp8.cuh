// kv_append_fp8.cuh: new keys and values of a wider dtype into an FP8 cache: divided by their head's scale, then rounded and saturated.
// Keys may be rotated before. Slots outside of the cache are skipped.
//
// The bits are those of the CPU backend (but for NaN's sign), as quotients are rounded to nearest there too. Not always of rotated elements:
// sine and cosine may differ by an ulp of f32 there, and a product here is not rounded before the sum. So if the CPU's quotient lies within a
// few ulps of the middle between two FP8 numbers, the other of the two may come out here.
#pragma once
#include "parts/kv_appended.cuh"
#include "parts/pack.cuh"
#include "ptx/fp8.cuh"

namespace fp {

// kCount neighbouring elements as floats: 8, in pieces of 16 bytes, or 1. Reading is apart from unpacking so that several reads can be
// under way.
template <typename Element, int kCount>
struct Floats {
  static constexpr int kPiece = kCount == 1 ? 1 : kWidePack<Element>;
  static constexpr int kPieces = kCount / kPiece;
  using P = Pack<Element, kPiece>;
  typename P::Raw raw[kPieces];

  __device__ __forceinline__ void read(const char *address) {
#pragma unroll
    for (int i = 0; i < kPieces; ++i) raw[i] = P::read(address + i * P::kBytes);
  }

  __device__ __forceinline__ void unpack(float (&values)[kCount]) const {
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      float piece[kPiece];
      P::unpack(raw[i], piece);
#pragma unroll
      for (int j = 0; j < kPiece; ++j) values[i * kPiece + j] = piece[j];
    }
  }
};

__device__ __forceinline__ u32 fp8_pair(float low, float high, bool is_e5m2) {
  return is_e5m2 ? ptx::float_to_e5m2(low, high) : ptx::float_to_e4m3(low, high);
}

// kCount values become FP8 at `to`, a multiple of kCount.
template <int kCount>
__device__ __forceinline__ void store_fp8(char *to, const float (&values)[kCount], float scale, bool is_e5m2) {
  if constexpr (kCount == 1) {
    *reinterpret_cast<u8 *>(to) = static_cast<u8>(fp8_pair(values[0] / scale, 0.f, is_e5m2));
  } else {
    static_assert(kCount == 8);
    u32 pairs[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) pairs[i] = fp8_pair(values[2 * i] / scale, values[2 * i + 1] / scale, is_e5m2);
    *reinterpret_cast<uint2 *>(to) = make_uint2(pairs[0] | pairs[1] << 16, pairs[2] | pairs[3] << 16);
  }
}

// What the numbers of a head are divided by. Nobody can refuse a scale that is not positive and finite here: NaN shows it in all of the row.
__device__ __forceinline__ float fp8_scale(float scale, const float *head_scales, i64 head) {
  if (head_scales == nullptr) return scale;
  const float of_head = head_scales[head], product = scale * of_head;
  return of_head > 0.f && product > 0.f && product < kInfinity ? product : __uint_as_float(0x7fc00000u);
}

// What the threads of a CTA share.
struct AppendFp8Shared {
  TokenMove moves[kv_max_tokens_per_cta];
  float2 rotations[kv_max_tokens_per_cta * kv_max_pairs];
  float k_scales[kv_max_heads_per_cta];
  float v_scales[kv_max_heads_per_cta];
};

// Elements [begin, begin + count) of each row of keys, or else of values, kCount at a time. Of a thread, 32 bytes are under way at once (two elements, if kCount is 1).
template <typename Element, int kCount, bool kKeys>
__device__ __forceinline__ void quantise(const KvAppendFp8Params &params, const AppendFp8Shared &shared, u32 num_tokens, HeadRange heads, u32 begin,
                                         u32 count) {
  using Loaded = Floats<Element, kCount>;
  constexpr int kSteps = 2 / Loaded::kPieces;
  const KvAppendParams &p = params.append;
  const char *from = kKeys ? p.k : p.v;
  char *to = kKeys ? p.cache.k_cache : p.cache.v_cache;
  const i64 from_head_bytes = kKeys ? p.k_head_bytes : p.v_head_bytes;
  const i64 to_head_bytes = kKeys ? p.cache.k_head_bytes : p.cache.v_head_bytes;
  const u32 packs = count / kCount;
  const u32 total = num_tokens * heads.count * packs;
  for (u32 first = threadIdx.x; first < total; first += blockDim.x * kSteps) {
    Loaded loaded[kSteps];
    char *target[kSteps];
    float scale[kSteps];
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      const u32 i = first + s * blockDim.x;
      target[s] = nullptr;
      if (i >= total) continue;
      const u32 row = i / packs;
      const u32 token = row / heads.count;
      const u32 head = row - token * heads.count;
      const TokenMove &move = shared.moves[token];
      if (!move.valid) continue;
      const u32 element = begin + (i - row * packs) * kCount;
      target[s] = to + (kKeys ? move.k_to : move.v_to) + (heads.begin + static_cast<i32>(head)) * to_head_bytes + element;
      scale[s] = kKeys ? shared.k_scales[head] : shared.v_scales[head];
      loaded[s].read(from + (kKeys ? move.k_from : move.v_from) + (heads.begin + static_cast<i32>(head)) * from_head_bytes +
                     element * static_cast<u32>(sizeof(typename Element::Storage)));
    }
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      if (target[s] == nullptr) continue;
      float values[kCount];
      loaded[s].unpack(values);
      store_fp8<kCount>(target[s], values, scale[s], params.is_e5m2 != 0);
    }
  }
}

// The keys' rotated elements; kCount divides the number of pairs.
template <typename Element, int kCount>
__device__ __forceinline__ void quantise_rotated(const KvAppendFp8Params &params, const AppendFp8Shared &shared, u32 num_tokens, HeadRange heads) {
  constexpr u32 kBytes = sizeof(typename Element::Storage);
  const KvAppendParams &p = params.append;
  const u32 num_pairs = p.num_pairs;
  const u32 packs = num_pairs / kCount;
  const u32 apart = p.interleaved ? kCount : num_pairs;
  for (u32 i = threadIdx.x; i < num_tokens * heads.count * packs; i += blockDim.x) {
    const u32 row = i / packs;
    const u32 pair = (i - row * packs) * kCount;
    const u32 token = row / heads.count;
    const u32 head = row - token * heads.count;
    const TokenMove &move = shared.moves[token];
    if (!move.valid) continue;
    const u32 element = pair * (p.interleaved ? 2 : 1);
    const char *from = p.k + move.k_from + (heads.begin + static_cast<i32>(head)) * p.k_head_bytes + element * kBytes;
    char *to = p.cache.k_cache + move.k_to + (heads.begin + static_cast<i32>(head)) * p.cache.k_head_bytes + element;
    Floats<Element, kCount> loaded[2];
    loaded[0].read(from);
    loaded[1].read(from + apart * kBytes);
    float first[kCount], second[kCount];
    loaded[0].unpack(first);
    loaded[1].unpack(second);
    rotate_packs<kCount>(first, second, shared.rotations + token * num_pairs + pair, p.interleaved != 0);
    store_fp8<kCount>(to, first, shared.k_scales[head], params.is_e5m2 != 0);
    store_fp8<kCount>(to + apart, second, shared.k_scales[head], params.is_e5m2 != 0);
  }
}

template <typename Element>
__device__ __forceinline__ void kv_append_fp8(const KvAppendFp8Params &params) {
  __shared__ AppendFp8Shared shared;
  const KvAppendParams &p = params.append;
  const i64 token_begin = static_cast<i64>(blockIdx.x) * p.cache.tokens_per_cta;
  const u32 num_tokens = static_cast<u32>(min(static_cast<i64>(p.cache.tokens_per_cta), p.num_tokens - token_begin));
  const HeadRange heads(p.cache);
  find_slots(shared.moves, p, token_begin, num_tokens);
  if (threadIdx.x < heads.count) {
    shared.k_scales[threadIdx.x] = fp8_scale(params.k_scale, params.k_head_scales, heads.begin + threadIdx.x);
    shared.v_scales[threadIdx.x] = fp8_scale(params.v_scale, params.v_head_scales, heads.begin + threadIdx.x);
  }
  find_rotations(shared.rotations, p, token_begin, num_tokens);
  __syncthreads();
  quantise<Element, 8, false>(params, shared, num_tokens, heads, 0, p.cache.v_chunks * 8);
  const u32 rotated = 2 * p.num_pairs, rest = p.cache.k_chunks * 8 - rotated;
  if (p.num_pairs % 8 == 0) {
    if (rotated > 0) quantise_rotated<Element, 8>(params, shared, num_tokens, heads);
    quantise<Element, 8, true>(params, shared, num_tokens, heads, rotated, rest);
  } else {
    quantise_rotated<Element, 1>(params, shared, num_tokens, heads);
    quantise<Element, 1, true>(params, shared, num_tokens, heads, rotated, rest);
  }
}

}  // namespace fp

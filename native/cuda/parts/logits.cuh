// logits.cuh: rows of logits, and the order in which sampling takes them: larger first, the lower index first of equals.
#pragma once
#include "parts/pack.cuh"

namespace fp {

// Rises with x. NaN counts as -infinity, -0 as 0.
__device__ __forceinline__ u32 order_key(float x) {
  const u32 bits = __float_as_uint(fmaxf(x, -kInfinity) + 0.f);
  return bits ^ (static_cast<i32>(bits) < 0 ? 0xffffffffu : 0x80000000u);
}

__device__ __forceinline__ float key_value(u32 key) { return __uint_as_float(key ^ (static_cast<i32>(key) < 0 ? 0x80000000u : 0xffffffffu)); }

// Key and index as one number: no two of a row are equal, and a larger one comes first.
__device__ __forceinline__ u64 rank_of(u32 key, u32 index) { return static_cast<u64>(key) << 32 | ~index; }
__device__ __forceinline__ u32 rank_key(u64 rank) { return static_cast<u32>(rank >> 32); }
__device__ __forceinline__ u32 rank_index(u64 rank) { return ~static_cast<u32>(rank); }

constexpr int kLogitsPack = 8;

// A row of one dtype, read in packs of 8.
template <typename Element>
class LogitsRow {
  using Storage = typename Element::Storage;
  using P = Pack<Element, kWidePack<Element>>;
  static constexpr int kReads = kLogitsPack / kWidePack<Element>;

 public:
  struct Raw {
    uint4 words[kReads];
  };

  __device__ __forceinline__ LogitsRow(const char *row, u32 size) : row_(row), size_(size) {}

  // Packs can be read in 16-byte pieces.
  __device__ __forceinline__ bool is_wide() const { return reinterpret_cast<u64>(row_) % 16 == 0; }
  __device__ __forceinline__ float at(u32 index) const { return Element::load(reinterpret_cast<const Storage *>(row_)[index]); }

  // The pack at `first`, a multiple of 8, of a wide row that has all of it.
  __device__ __forceinline__ Raw read(u32 first) const {
    Raw raw;
#pragma unroll
    for (int i = 0; i < kReads; ++i) raw.words[i] = P::read(row_ + static_cast<u64>(first) * sizeof(Storage) + i * 16);
    return raw;
  }

  __device__ static __forceinline__ void unpack(const Raw &raw, float (&values)[kLogitsPack]) {
#pragma unroll
    for (int i = 0; i < kReads; ++i) {
      float part[kWidePack<Element>];
      P::unpack(raw.words[i], part);
#pragma unroll
      for (int j = 0; j < kWidePack<Element>; ++j) values[i * kWidePack<Element> + j] = part[j];
    }
  }

  // The pack at `first` of any row; -infinity past its end.
  __device__ __forceinline__ void load(u32 first, float (&values)[kLogitsPack]) const {
    if (is_wide() && first + kLogitsPack <= size_) {
      unpack(read(first), values);
    } else {
#pragma unroll
      for (int i = 0; i < kLogitsPack; ++i) values[i] = first + i < size_ ? at(first + i) : -kInfinity;
    }
  }

 private:
  const char *row_;
  u32 size_;
};

}  // namespace fp

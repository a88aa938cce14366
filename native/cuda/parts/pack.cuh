// pack.cuh: neighbouring elements of a row that move in one access: 16 bytes where rows are aligned, else one element.
#pragma once
#include "parts/element.cuh"

namespace fp {

// Elements of 16 bytes.
template <typename Element>
constexpr int kWidePack = 16 / static_cast<int>(sizeof(typename Element::Storage));

template <typename Dtype>
__device__ __forceinline__ u32 pack_two(float low, float high, HalfElement<Dtype>) {
  return ptx::pack(low, high, Dtype{});
}

// kCount: kWidePack, or 1. read() and write() want addresses that are multiples of the pack's bytes; reading is apart from unpacking
// so that several reads can be under way.
template <typename Element, int kCount>
struct Pack {
  static_assert(kCount == kWidePack<Element>);
  static constexpr int kBytes = 16;
  using Raw = uint4;

  __device__ static __forceinline__ Raw read(const char *address) { return *reinterpret_cast<const uint4 *>(address); }
  __device__ static __forceinline__ void write(char *address, Raw raw) { *reinterpret_cast<uint4 *>(address) = raw; }

  __device__ static __forceinline__ void unpack(Raw raw, float (&values)[kCount]) {
    const u32 words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if constexpr (kCount == 4) {
        values[i] = __uint_as_float(words[i]);
      } else {
        values[i] = Element::load(static_cast<u16>(i % 2 == 0 ? words[i / 2] & 0xffff : words[i / 2] >> 16));
      }
    }
  }

  __device__ static __forceinline__ Raw pack(const float (&values)[kCount]) {
    if constexpr (kCount == 4) {
      return make_uint4(__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]), __float_as_uint(values[3]));
    } else {
      return make_uint4(pack_two(values[0], values[1], Element{}), pack_two(values[2], values[3], Element{}),
                        pack_two(values[4], values[5], Element{}), pack_two(values[6], values[7], Element{}));
    }
  }
};

template <typename Element>
struct Pack<Element, 1> {
  using Raw = typename Element::Storage;
  static constexpr int kBytes = sizeof(Raw);

  __device__ static __forceinline__ Raw read(const char *address) { return *reinterpret_cast<const Raw *>(address); }
  __device__ static __forceinline__ void write(char *address, Raw raw) { *reinterpret_cast<Raw *>(address) = raw; }
  __device__ static __forceinline__ void unpack(Raw raw, float (&values)[1]) { values[0] = Element::load(raw); }
  __device__ static __forceinline__ Raw pack(const float (&values)[1]) { return Element::store(values[0]); }
};

}  // namespace fp

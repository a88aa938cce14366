// tensor_map.h: what the emulated driver's cuTensorMapEncodeTiled writes into a map's 128 bytes.
#pragma once
#include <cstdint>

namespace emulation {

struct EmulatedTensorMap {
  static constexpr std::uint32_t valid_mark = 0x746d6170;  // "tmap"
  std::uint32_t mark;
  std::uint32_t swizzle_bytes;  // 0, 32, 64 or 128
  std::uint64_t address;
  std::uint64_t strides[4];     // bytes, from the second dimension on
  std::uint32_t dims[5];
  std::uint32_t box[5];
  std::uint32_t element_bytes;
  std::uint32_t rank;
};
static_assert(sizeof(EmulatedTensorMap) <= 128);

}  // namespace emulation

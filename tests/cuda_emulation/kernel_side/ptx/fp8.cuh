// fp8.cuh: emulates native/cuda/ptx/fp8.cuh. Exact on all architectures: NaN stays NaN.
#pragma once
#include "parts/fp8_codes.cuh"
#include "ptx/convert.cuh"

namespace fp::ptx {

#if __CUDA_ARCH__ >= 890
#define FP_HAS_FP8 1
#else
#define FP_HAS_FP8 0
#endif

inline float e4m3_to_float(u32 code) {
  if ((code & 0x7f) == 0x7f) return std::copysign(std::nanf(""), code & 0x80 ? -1.f : 1.f);
  return 256.f * to_float(static_cast<u16>(e4m3_halves_as_f16(code << 8)), F16{});
}

template <typename Dtype>
inline void fp8_to_pairs(u32 (&pairs)[2], u32 word, bool is_e5m2, Dtype) {
  for (int i = 0; i < 2; ++i) {
    const u32 low = word >> 16 * i & 0xff, high = word >> (16 * i + 8) & 0xff;
    pairs[i] = is_e5m2 ? pack(to_float(static_cast<u16>(low << 8), F16{}), to_float(static_cast<u16>(high << 8), F16{}), Dtype{})
                       : pack(e4m3_to_float(low), e4m3_to_float(high), Dtype{});
  }
}

inline u16 float_to_e4m3(float low, float high) { return static_cast<u16>(float_to_e4m3_code(low) | float_to_e4m3_code(high) << 8); }
inline u16 float_to_e5m2(float low, float high) { return static_cast<u16>(float_to_e5m2_code(low) | float_to_e5m2_code(high) << 8); }

inline u32 float_to_e4m3(float x0, float x1, float x2, float x3) { return static_cast<u32>(float_to_e4m3(x0, x1)) | static_cast<u32>(float_to_e4m3(x2, x3)) << 16; }

}  // namespace fp::ptx

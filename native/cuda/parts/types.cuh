// types.cuh: names of the machine's types. NVRTC has no <stdint.h>.
#pragma once

namespace fp {

using u8 = unsigned char;
using u16 = unsigned short;
using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;

// The 16-bit formats of q, k, v and out, as tags: values travel as u16, or two at a time as u32 (the first in the low half).
struct Bf16 {};
struct F16 {};
// FP8 operands of matrix products, four to a u32 (the first in the lowest byte).
struct E4m3 {};

constexpr float kInfinity = __builtin_bit_cast(float, 0x7f800000);

}  // namespace fp

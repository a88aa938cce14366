// philox.cuh: the generator of sampling.
#pragma once
#include "parts/types.cuh"

namespace fp {

// Word 0 of the block of Philox4x32-10 (Salmon et al., 2011) with counter (step, 0, 0, 0).
__device__ __forceinline__ u32 philox(u32 key0, u32 key1, u32 step) {
  constexpr u32 kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u, kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  u32 c0 = step, c1 = 0, c2 = 0, c3 = 0;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const u32 n0 = __umulhi(kMultiplier1, c2) ^ c1 ^ key0;
    const u32 n2 = __umulhi(kMultiplier0, c0) ^ c3 ^ key1;
    c1 = kMultiplier1 * c2;
    c3 = kMultiplier0 * c0;
    c0 = n0;
    c2 = n2;
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return c0;
}

}  // namespace fp

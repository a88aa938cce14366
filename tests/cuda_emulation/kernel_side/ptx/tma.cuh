// tma.cuh: emulates native/cuda/ptx/tma.cuh.
#pragma once
#include "parts/types.cuh"

namespace fp::ptx {

struct alignas(64) TensorMap {
  u64 words[16];
};

inline void tma_prefetch(const TensorMap &) {}
inline void tma_load_5d(u32 target, const TensorMap &map, i32 c0, i32 c1, i32 c2, i32 c3, i32 c4, u32 barrier, emulation::Site site = emulation::Site::current()) {
  emulation::tma_load_5d(target, &map, {c0, c1, c2, c3, c4}, barrier, site);
}
inline void fence_async_shared() {}

}  // namespace fp::ptx

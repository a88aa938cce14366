// warp_functions.h: CUDA's functions of a warp: shuffles, votes, reductions.
#pragma once
#include <cstring>

#include "device_api.h"

namespace emulation {

struct ExchangeLane {
  u64 value;
  u32 from;
  u64 result;
};

// Every lane gets another's value.
inline void exchange(void *const *lanes, u32 mask) {
  for (u32 i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    auto *lane = static_cast<ExchangeLane *>(lanes[i]);
    // A lane that does not take part has no value: the hardware gives an undefined one, here it is one that shows.
    lane->result = mask >> lane->from & 1 ? static_cast<const ExchangeLane *>(lanes[lane->from])->value : ~u64{0};
  }
}

template <typename T>
T shuffle(const char *name, u32 mask, T value, u32 from, const Site &site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  ExchangeLane lane{0, from % 32, 0};
  std::memcpy(&lane.value, &value, sizeof value);
  warp_collective(name, mask, &lane, exchange, site);
  std::memcpy(&value, &lane.result, sizeof value);
  return value;
}

// Every lane gets what `combine` makes of all.
template <typename T, T (*combine)(T, T)>
T reduce(const char *name, u32 mask, T value, const Site &site) {
  warp_collective(
      name, mask, &value,
      [](void *const *lanes, u32 of) {
        bool any = false;
        T all{};
        for (u32 i = 0; i < 32; ++i) {
          if (!(of >> i & 1)) continue;
          const T own = *static_cast<const T *>(lanes[i]);
          all = any ? combine(all, own) : own;
          any = true;
        }
        for (u32 i = 0; i < 32; ++i) {
          if (of >> i & 1) *static_cast<T *>(lanes[i]) = all;
        }
      },
      site);
  return value;
}

template <typename T>
T add(T a, T b) {
  return a + b;
}
template <typename T>
T smaller(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
T larger(T a, T b) {
  return a < b ? b : a;
}
inline u32 either(u32 a, u32 b) { return a | b; }

}  // namespace emulation

inline void __syncwarp(unsigned mask = 0xffffffffu, emulation::Site site = emulation::Site::current()) {
  emulation::warp_barrier(mask, site);
}
template <typename T>
inline T __shfl_sync(unsigned mask, T value, int from, emulation::Site site = emulation::Site::current()) {
  return emulation::shuffle("__shfl_sync", mask, value, static_cast<unsigned>(from), site);
}
template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, emulation::Site site = emulation::Site::current()) {
  return emulation::shuffle("__shfl_xor_sync", mask, value, emulation::current->thread.x % 32 ^ static_cast<unsigned>(bits), site);
}
template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned distance, emulation::Site site = emulation::Site::current()) {
  const unsigned lane = emulation::current->thread.x % 32;
  return emulation::shuffle("__shfl_up_sync", mask, value, lane >= distance ? lane - distance : lane, site);
}
template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned distance, emulation::Site site = emulation::Site::current()) {
  const unsigned lane = emulation::current->thread.x % 32;
  return emulation::shuffle("__shfl_down_sync", mask, value, lane + distance < 32 ? lane + distance : lane, site);
}
inline unsigned __ballot_sync(unsigned mask, int holds, emulation::Site site = emulation::Site::current()) {
  return emulation::reduce<unsigned, emulation::either>("__ballot_sync", mask, holds ? 1u << emulation::current->thread.x % 32 : 0u, site);
}
inline int __any_sync(unsigned mask, int holds, emulation::Site site = emulation::Site::current()) {
  return emulation::reduce<unsigned, emulation::either>("__any_sync", mask, holds != 0, site) != 0;
}
inline int __all_sync(unsigned mask, int holds, emulation::Site site = emulation::Site::current()) {
  return emulation::reduce<unsigned, emulation::either>("__all_sync", mask, holds == 0, site) == 0;
}
template <typename T>
inline T __reduce_add_sync(unsigned mask, T value, emulation::Site site = emulation::Site::current()) {
  return emulation::reduce<T, emulation::add<T>>("__reduce_add_sync", mask, value, site);
}
template <typename T>
inline T __reduce_min_sync(unsigned mask, T value, emulation::Site site = emulation::Site::current()) {
  return emulation::reduce<T, emulation::smaller<T>>("__reduce_min_sync", mask, value, site);
}
template <typename T>
inline T __reduce_max_sync(unsigned mask, T value, emulation::Site site = emulation::Site::current()) {
  return emulation::reduce<T, emulation::larger<T>>("__reduce_max_sync", mask, value, site);
}

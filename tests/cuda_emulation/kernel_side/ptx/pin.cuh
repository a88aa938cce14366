// pin.cuh: emulates native/cuda/ptx/pin.cuh.
#pragma once

namespace fp::ptx {

template <typename T>
inline void pin(T &) {}

}  // namespace fp::ptx

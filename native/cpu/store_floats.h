// store_floats.h: floats to an array of any float dtype, rounded to nearest even. For baseline files.
#pragma once
#include <cstring>

#include "float_convert.h"

namespace fp::cpu {

// Writes `count` elements of `base`, from `offset` on.
inline void store_floats(int dtype, const float *source, int64_t count, void *base, int64_t offset) {
  if (dtype == FP_F32) {
    memcpy(static_cast<float *>(base) + offset, source, static_cast<size_t>(count) * 4);
    return;
  }
  uint16_t *target = static_cast<uint16_t *>(base) + offset;
  if (dtype == FP_BF16) {
    for (int64_t i = 0; i < count; i++) target[i] = float_to_bf16(source[i]);
  } else {
    for (int64_t i = 0; i < count; i++) target[i] = float_to_f16(source[i]);
  }
}

}  // namespace fp::cpu

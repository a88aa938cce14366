// kv_scale.h: what the stored elements of a KV head are multiplied by. For baseline files.
#pragma once
#include <cmath>

#include "../host/backend.h"
#include "../host/error.h"

namespace fp::cpu {

// `of`: "k" or "v". Scales of single heads lie in memory that anyone may have written, so they are checked when they are used.
inline float kv_scale(const char *of, float scale, fp_address head_scales, int head) {
  if (head_scales == 0) return scale;
  const float of_head = at<const float>(head_scales)[head], product = scale * of_head;
  if (!(of_head > 0) || !(product > 0) || !std::isfinite(product)) {
    fail(FP_INVALID_ARGUMENT, "the %s scale of KV head %d is %g times %g. Both and their product must be positive finite numbers.", of, head, static_cast<double>(scale), static_cast<double>(of_head));
  }
  return product;
}

}  // namespace fp::cpu

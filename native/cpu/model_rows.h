// model_rows.h: the inner loops of the model's operations, one table an instruction set. Plain C types only: files compiled with wider
// instruction sets include this.
#pragma once
#include <cstdint>

#include "../flashpage.h"

namespace fp::cpu {

struct ModelRows {
  // One row of RMS norm. residual may be null. buffer: dim floats.
  void (*rms_norm)(int dtype, int dim, float eps, const void *x, void *residual, const void *weight, void *out, float *buffer);
  // out = silu(gate) * up
  void (*silu_and_mul)(int dtype, int dim, const void *gate, const void *up, void *out);
  // cos and sin of position * inv_freq[i], for i < count, which may write up to 15 floats more.
  void (*angles)(int position, const float *inv_freq, int count, float *cosines, float *sines);
  // Rotates pairs (2i, 2i + 1) or (i, i + rotary_dim / 2) of a head by angle i. source and target may be the same.
  void (*rotate)(int dtype, const void *source, void *target, int rotary_dim, bool interleaved, const float *cosines, const float *sines);
  // target = source / scale as FP8, e4m3 or e5m2; count: a multiple of 16.
  void (*quantise)(int fp8_dtype, const float *source, int count, float scale, uint8_t *target);
  // The lowest index of the largest element; NaN counts as -infinity.
  int (*argmax)(int dtype, const void *row, int64_t count);
  // The row as floats, NaN as -infinity.
  void (*load_logits)(int dtype, const void *row, int64_t count, float *out);
  // out = exp((logits - maximum) / temperature)
  void (*exponentials)(const float *logits, int64_t count, float maximum, float temperature, float *out);
  // The largest of each 64 logits, in turn.
  void (*block_maxima)(const float *logits, int64_t count, float *out);
};

constexpr int maxima_block = 64;

const ModelRows &model_rows_portable();
const ModelRows &model_rows_avx2();
const ModelRows &model_rows_avx512();
const ModelRows &model_rows_neon();

}  // namespace fp::cpu

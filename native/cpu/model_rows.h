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
  // sums[i * 4 + j] = x row i . w row j over k, for num_x <= 4 and num_w <= 4 rows; strides in elements.
  void (*dot_block)(int dtype, int64_t k, const void *x, int64_t x_stride, int num_x, const void *w, int64_t w_stride, int num_w, float *sums);
};

const ModelRows &model_rows_portable();
const ModelRows &model_rows_avx2();
const ModelRows &model_rows_avx512();
const ModelRows &model_rows_neon();

}  // namespace fp::cpu

// linear_form.h: the inner loops of x . w^T, as linear.cc calls those of an instruction set. Plain C types only: files compiled with wider
// instruction sets include this.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../flashpage.h"

namespace fp::cpu {

// Tokens (rows of x) times a run of outputs (rows of w).
struct LinearTask {
  int dtype, out_dtype;
  int64_t k;
  int num_tokens;
  const void *packed;  // the form's blocks of tokens, from this task's first token on
  const void *w;       // [num_outputs, k], contiguous
  int num_outputs;
  const float *bias;   // [num_outputs] or null
  void *out;           // element (first token, first output)
  int64_t out_stride;
  void *scratch;       // scratch_bytes, 64-byte aligned
};

// A way to compute it. x is brought once a call into the form's own shape, block by block; weights are read as they are.
struct LinearForm {
  int block_tokens;
  int step_outputs;  // outputs computed together; a task had better begin at a multiple
  size_t (*block_bytes)(int dtype, int64_t k);
  // One block; rows from num_tokens on are made zeros.
  void (*pack)(int dtype, const void *x, int64_t x_stride, int num_tokens, int64_t k, void *packed);
  size_t (*scratch_bytes)(int dtype, int64_t k);
  void (*multiply)(const LinearTask &task);
};

// `few`: dot products of rows, bound by the reading of weights. Else: registers hold tokens side by side and weights are broadcast to them, bound by
// arithmetic.
const LinearForm &linear_form_portable(bool few);
const LinearForm &linear_form_avx2(bool few);
const LinearForm &linear_form_avx512(bool few);
const LinearForm &linear_form_neon(bool few);
// bf16 alone.
const LinearForm &linear_form_bf16_avx512(bool few);
const LinearForm &linear_form_bf16_amx();

}  // namespace fp::cpu

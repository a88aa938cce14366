#include <immintrin.h>

#include "linear_form.h"

#define FP_LANES 16
namespace fp::cpu {
namespace avx512_linear {
namespace {
#include "simd.inl"

#include "linear_few.inl"
#include "panel_product.inl"

#include "linear_many.inl"
}  // namespace
}  // namespace avx512_linear

const LinearForm &linear_form_avx512(bool few) { return few ? avx512_linear::few_form : avx512_linear::many_form; }

}  // namespace fp::cpu

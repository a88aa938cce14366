#include "linear_form.h"

#define FP_LANES 8
namespace fp::cpu {
namespace avx2_linear {
namespace {
#include "simd.inl"

#include "linear_few.inl"
#include "panel_product.inl"

#include "linear_many.inl"
}  // namespace
}  // namespace avx2_linear

const LinearForm &linear_form_avx2(bool few) { return few ? avx2_linear::few_form : avx2_linear::many_form; }

}  // namespace fp::cpu

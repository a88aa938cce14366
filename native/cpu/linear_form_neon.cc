#include "linear_form.h"

#define FP_LANES 4
namespace fp::cpu {
namespace neon_linear {
namespace {
#include "simd.inl"

#include "linear_few.inl"
#include "panel_product.inl"

#include "linear_many.inl"
}  // namespace
}  // namespace neon_linear

const LinearForm &linear_form_neon(bool few) { return few ? neon_linear::few_form : neon_linear::many_form; }

}  // namespace fp::cpu

#include "linear_form.h"

#define FP_LANES 4
namespace fp::cpu {
namespace portable_linear {
namespace {
#include "simd.inl"

#include "linear_few.inl"
#include "panel_product.inl"

#include "linear_many.inl"
}  // namespace
}  // namespace portable_linear

const LinearForm &linear_form_portable(bool few) { return few ? portable_linear::few_form : portable_linear::many_form; }

}  // namespace fp::cpu

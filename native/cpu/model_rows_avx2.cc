#include "model_rows.h"

#define FP_LANES 8
namespace fp::cpu {
namespace avx2_rows {
namespace {
#include "simd.inl"

#include "model_rows.inl"
}  // namespace
}  // namespace avx2_rows

const ModelRows &model_rows_avx2() { return avx2_rows::table; }

}  // namespace fp::cpu

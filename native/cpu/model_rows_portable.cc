#include "model_rows.h"

#define FP_LANES 4
namespace fp::cpu {
namespace portable_rows {
namespace {
#include "simd.inl"

#include "model_rows.inl"
}  // namespace
}  // namespace portable_rows

const ModelRows &model_rows_portable() { return portable_rows::table; }

}  // namespace fp::cpu

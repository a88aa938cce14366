#include "model_rows.h"

#define FP_LANES 4
namespace fp::cpu {
namespace neon_rows {
namespace {
#include "simd.inl"

#include "model_rows.inl"
}  // namespace
}  // namespace neon_rows

const ModelRows &model_rows_neon() { return neon_rows::table; }

}  // namespace fp::cpu

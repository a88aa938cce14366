#include "model_rows.h"

namespace fp::cpu {
namespace avx2_rows {
namespace {
#include "model_rows.inl"
}  // namespace
}  // namespace avx2_rows

const ModelRows &model_rows_avx2() { return avx2_rows::table; }

}  // namespace fp::cpu

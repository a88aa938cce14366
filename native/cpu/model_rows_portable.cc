#include "model_rows.h"

namespace fp::cpu {
namespace portable_rows {
namespace {
#include "model_rows.inl"
}  // namespace
}  // namespace portable_rows

const ModelRows &model_rows_portable() { return portable_rows::table; }

}  // namespace fp::cpu

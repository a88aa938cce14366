#include <immintrin.h>

#include "model_rows.h"

#define FP_LANES 16
namespace fp::cpu {
namespace avx512_rows {
namespace {
#include "simd.inl"

#include "model_rows.inl"
}  // namespace
}  // namespace avx512_rows

const ModelRows &model_rows_avx512() { return avx512_rows::table; }

}  // namespace fp::cpu

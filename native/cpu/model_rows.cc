// model_rows.cc: the choice of an instruction set's table.
#include "choose_rows.h"

namespace fp::cpu {

const ModelRows &choose_rows(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512 || isa == Isa::amx) return model_rows_avx512();
  if (isa == Isa::avx2) return model_rows_avx2();
#elif defined(__aarch64__)
  if (isa == Isa::neon) return model_rows_neon();
#endif
  (void)isa;
  return model_rows_portable();
}

}  // namespace fp::cpu

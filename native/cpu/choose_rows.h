// choose_rows.h: the choice of an instruction set's inner loops.
#pragma once
#include "model_rows.h"
#include "ops.h"

namespace fp::cpu {

const ModelRows &choose_rows(Isa isa);

}  // namespace fp::cpu

// detect_isa.cc: stands in for native/cpu/isa.cc where AMX is emulated.
#include "../../../native/cpu/ops.h"

namespace fp::cpu {

Isa detect_isa() { return Isa::amx; }

}  // namespace fp::cpu

// isa.cc: which instruction sets the processor has, the system saves, and the user allows.
#include <cstdlib>
#include <cstring>

#include "ops.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace fp::cpu {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool has(unsigned value, int bit) { return (value >> bit & 1) != 0; }

uint64_t enabled_state() {
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

// The kernel hands out the 8 KB of tile state only to processes that ask.
bool request_tiles() {
#if defined(__linux__)
  constexpr long arch_request_xcomp_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, arch_request_xcomp_permission, tile_data) == 0;
#else
  return false;
#endif
}

Isa best_isa() {
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0), seven_one = cpuid(7, 1);
  if (!has(one.ecx, 27)) return Isa::scalar;  // OSXSAVE
  const uint64_t state = enabled_state();
  const bool avx2 = (state & 0x6) == 0x6 && has(one.ecx, 12) && has(one.ecx, 29) && has(seven.ebx, 5) && has(seven.ebx, 8);  // FMA, F16C, AVX2, BMI2
  if (!avx2) return Isa::scalar;
  const bool avx512 = (state & 0xe6) == 0xe6 && has(seven.ebx, 16) && has(seven.ebx, 17) && has(seven.ebx, 28) && has(seven.ebx, 30) &&
                      has(seven.ebx, 31) && has(seven.ecx, 1) && has(seven_one.eax, 5);  // F, DQ, CD, BW, VL, VBMI, BF16
  if (!avx512) return Isa::avx2;
  const bool amx = (state & 0x60000) == 0x60000 && has(seven.edx, 22) && has(seven.edx, 24);  // AMX-BF16, AMX-TILE
  return amx && request_tiles() ? Isa::amx : Isa::avx512;
}

#elif defined(__aarch64__)
Isa best_isa() { return Isa::neon; }
#else
Isa best_isa() { return Isa::scalar; }
#endif

}  // namespace

Isa detect_isa() {
  const Isa best = best_isa();
  const char *wish = getenv("FLASHPAGE_CPU_ISA");
  if (wish == nullptr) return best;
  if (strcmp(wish, "scalar") == 0) return Isa::scalar;
  if (best == Isa::neon) return best;
  const Isa lowered = strcmp(wish, "avx2") == 0 ? Isa::avx2 : strcmp(wish, "avx512") == 0 ? Isa::avx512 : best;
  return lowered < best ? lowered : best;
}

}  // namespace fp::cpu

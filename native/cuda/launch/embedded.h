// embedded.h: the compiled kernels inside the library. scripts/toolchain/host.ts writes the table.
#pragma once
#include <cstddef>

namespace fp::cuda {

struct EmbeddedModule {
  const char *name;  // base name of the .cu file
  int arch;          // 80: cubin for sm_80; 90: for sm_90a; 0: PTX text, with a NUL behind it
  const unsigned char *packed;  // raw DEFLATE
  size_t num_packed_bytes;
  size_t num_bytes;  // unpacked
};

extern const EmbeddedModule embedded_modules[];
extern const size_t num_embedded_modules;

}  // namespace fp::cuda

// access.h: how a tensor's elements may be read and written, for launchers that choose between a kernel of 16-byte accesses ("wide")
// and one for any address ("narrow"); and the words by which kernels' names say what they are for.
#pragma once
#include <cstdint>
#include <cstdio>

#include "../../flashpage.h"

namespace fp::cuda {

inline int element_bytes(int dtype) { return dtype == FP_F32 ? 4 : dtype == FP_F16 || dtype == FP_BF16 ? 2 : 1; }

// Of kernel names.
inline const char *dtype_suffix(int dtype) { return dtype == FP_F32 ? "f32" : dtype == FP_F16 ? "f16" : "bf16"; }

// Of kernel and module names too: head dims as in "d128", or "d192_v128" if values have another.
struct ShapeSuffix {
  char text[24];
  ShapeSuffix(int head_dim_qk, int head_dim_vo) {
    if (head_dim_qk == head_dim_vo) {
      std::snprintf(text, sizeof text, "d%d", head_dim_qk);
    } else {
      std::snprintf(text, sizeof text, "d%d_v%d", head_dim_qk, head_dim_vo);
    }
  }
};

inline int64_t stride_bytes(double elements, int dtype) { return static_cast<int64_t>(elements) * element_bytes(dtype); }

constexpr bool is_wide(int64_t bytes) { return bytes % 16 == 0; }

// All rows begin at multiples of 16 bytes. The stride of a single row means nothing.
inline bool has_wide_rows(fp_address address, int64_t num_rows, int64_t row_bytes) {
  return is_wide(static_cast<int64_t>(address)) && (num_rows <= 1 || is_wide(row_bytes));
}

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace fp::cuda

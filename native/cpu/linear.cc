// linear.cc: x . w^T. Large products of bf16 go to the AMX tiles; the rest are dot products of rows, four by four, with weights read once for
// up to four rows of x.
#include "../host/backend.h"
#include "choose_rows.h"
#include "float_convert.h"
#include "linear_amx.h"
#include "ops.h"
#include "store_floats.h"

namespace fp::cpu {
namespace {

// Rows of x from which the tiles pay: below, the product waits for memory anyway.
constexpr int min_rows_for_tiles = 4;

void linear_by_dots(const fp_linear_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  const int bytes = args.dtype == FP_F32 ? 4 : 2;
  constexpr int chunk = 64;
  pool.run((args.out_dim + chunk - 1) / chunk, [&](int index, int) {
    const int end = (index + 1) * chunk < args.out_dim ? (index + 1) * chunk : args.out_dim;
    float sums[16], bias[4];
    for (int m = 0; m < args.num_rows; m += 4) {
      const int num_x = args.num_rows - m < 4 ? args.num_rows - m : 4;
      const char *x = at<const char>(args.x) + static_cast<int64_t>(args.x_row_stride) * m * bytes;
      for (int n = index * chunk; n < end; n += 4) {
        const int num_w = end - n < 4 ? end - n : 4;
        const char *w = at<const char>(args.weight) + static_cast<int64_t>(args.in_dim) * n * bytes;
        rows.dot_block(args.dtype, args.in_dim, x, static_cast<int64_t>(args.x_row_stride), num_x, w, args.in_dim, num_w, sums);
        if (args.bias != 0) load_floats(args.dtype, at<const void>(args.bias), n, num_w, bias);
        for (int i = 0; i < num_x; i++) {
          for (int j = 0; j < num_w && args.bias != 0; j++) sums[i * 4 + j] += bias[j];
          store_floats(args.out_dtype, sums + i * 4, num_w, at<void>(args.out), static_cast<int64_t>(args.out_row_stride) * (m + i) + n);
        }
      }
    }
  });
}

}  // namespace

void linear(const fp_linear_args &args, ThreadPool &pool, Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::amx && args.dtype == FP_BF16 && args.num_rows >= min_rows_for_tiles) return linear_with_tiles(args, pool);
#endif
  linear_by_dots(args, pool, isa);
}

}  // namespace fp::cpu

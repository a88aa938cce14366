// check_model_ops.cc: what a model needs around attention. Kernels may support fewer dtypes; they say so themselves.
#include "check.h"

namespace fp {
namespace {

constexpr int max_dim = 1 << 24;  // of one row, in elements

void check_rows(const char *dims_name, int num_rows, const char *dim_name, int dim) {
  check_between(num_rows, 0, INT32_MAX, dims_name);
  if (dim < 1 || dim > max_dim) check_between(dim, 1, max_dim, dim_name);
}

}  // namespace

bool check_rms_norm(Checker &checker, const fp_rms_norm_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by rms_norm");
  check_rows("num_rows", args.num_rows, "dim", args.dim);
  check_finite(args.eps, "eps");
  if (args.eps < 0) fail(FP_INVALID_ARGUMENT, "eps is %g, and must not be negative.", static_cast<double>(args.eps));
  checker.check_tensor("x", args.x, args.dtype, {{"num_rows", args.num_rows, whole(args.x_row_stride, "x_row_stride")}}, args.dim, Access::read);
  if (args.residual != 0) {
    checker.check_tensor("residual", args.residual, args.dtype,
                         {{"num_rows", args.num_rows, whole(args.residual_row_stride, "residual_row_stride")}}, args.dim, Access::write);
  }
  checker.check_tensor("weight", args.weight, args.dtype, {}, args.dim, Access::read);
  checker.check_tensor("out", args.out, args.dtype, {{"num_rows", args.num_rows, whole(args.out_row_stride, "out_row_stride")}}, args.dim,
                       Access::write);
  return args.num_rows > 0;
}

bool check_rope(Checker &checker, const fp_rope_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by rope");
  check_rows("num_tokens", args.num_tokens, "head_dim", args.head_dim);
  check_between(args.num_heads, 1, 65535, "num_heads");
  check_between(args.rotary_dim, 2, args.head_dim, "rotary_dim");
  if (args.rotary_dim % 2 != 0) fail(FP_INVALID_ARGUMENT, "rotary_dim is %d, and must be even.", args.rotary_dim);
  check_flag(args.interleaved, "interleaved");
  checker.check_tensor("x", args.x, args.dtype,
                       {{"num_tokens", args.num_tokens, whole(args.x_token_stride, "x_token_stride")},
                        {"num_heads", args.num_heads, whole(args.x_head_stride, "x_head_stride")}},
                       args.head_dim, Access::write);
  checker.check_tensor("positions", args.positions, FP_I32, {}, args.num_tokens, Access::read);
  checker.check_tensor("inv_freq", args.inv_freq, FP_F32, {}, args.rotary_dim / 2, Access::read);
  return args.num_tokens > 0;
}

bool check_silu_and_mul(Checker &checker, const fp_silu_and_mul_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by silu_and_mul");
  check_rows("num_rows", args.num_rows, "dim", args.dim);
  checker.check_tensor("x", args.x, args.dtype, {{"num_rows", args.num_rows, whole(args.x_row_stride, "x_row_stride")}},
                       static_cast<int64_t>(args.dim) * 2, Access::read);
  checker.check_tensor("out", args.out, args.dtype, {{"num_rows", args.num_rows, whole(args.out_row_stride, "out_row_stride")}}, args.dim,
                       Access::write);
  return args.num_rows > 0;
}

bool check_embedding(Checker &checker, const fp_embedding_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by embedding");
  check_rows("num_tokens", args.num_tokens, "dim", args.dim);
  check_between(args.vocab_size, 1, INT32_MAX, "vocab_size");
  checker.check_tensor("ids", args.ids, FP_I32, {}, args.num_tokens, Access::read);
  checker.check_tensor("table", args.table, args.dtype, {{"vocab_size", args.vocab_size, args.dim}}, args.dim, Access::read);
  checker.check_tensor("out", args.out, args.dtype, {{"num_tokens", args.num_tokens, args.dim}}, args.dim, Access::write);
  return args.num_tokens > 0;
}

bool check_linear(Checker &checker, const fp_linear_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by linear");
  check_dtype(args.out_dtype, dtype_bit(args.dtype) | dtype_bit(FP_F32), "out_dtype", "for this dtype");
  check_rows("num_rows", args.num_rows, "in_dim", args.in_dim);
  check_between(args.out_dim, 1, max_dim, "out_dim");
  checker.check_tensor("x", args.x, args.dtype, {{"num_rows", args.num_rows, whole(args.x_row_stride, "x_row_stride")}}, args.in_dim, Access::read);
  checker.check_tensor("weight", args.weight, args.dtype, {{"out_dim", args.out_dim, args.in_dim}}, args.in_dim, Access::read);
  if (args.bias != 0) checker.check_tensor("bias", args.bias, args.dtype, {}, args.out_dim, Access::read);
  checker.check_tensor("out", args.out, args.out_dtype, {{"num_rows", args.num_rows, whole(args.out_row_stride, "out_row_stride")}}, args.out_dim,
                       Access::write);
  return args.num_rows > 0;
}

bool check_argmax(Checker &checker, const fp_argmax_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by argmax");
  check_rows("num_rows", args.num_rows, "vocab_size", args.vocab_size);
  checker.check_tensor("logits", args.logits, args.dtype, {{"num_rows", args.num_rows, whole(args.logits_row_stride, "logits_row_stride")}},
                       args.vocab_size, Access::read);
  checker.check_tensor("out", args.out, FP_I32, {}, args.num_rows, Access::write);
  return args.num_rows > 0;
}

bool check_sample(Checker &checker, const fp_sample_args &args) {
  check_dtype(args.dtype, float_dtypes, "dtype", "by sample");
  check_rows("num_rows", args.num_rows, "vocab_size", args.vocab_size);
  checker.check_tensor("logits", args.logits, args.dtype, {{"num_rows", args.num_rows, whole(args.logits_row_stride, "logits_row_stride")}},
                       args.vocab_size, Access::read);
  constexpr int64_t row_words = sizeof(fp_sampling_row) / 4;
  checker.check_tensor("rows", args.rows, FP_I32, {{"num_rows", args.num_rows, row_words}}, row_words, Access::read);
  checker.check_tensor("out", args.out, FP_I32, {}, args.num_rows, Access::write);
  return args.num_rows > 0;
}

}  // namespace fp

// check.h: the contract of flashpage.h, held against one call. check_*.cc has one function an operation; each throws
// an fp::Error that names the field, its value and what is allowed. Sizes are 64-bit and every product is checked.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "../flashpage.h"
#include "objects.h"

namespace fp {

// One dimension of a tensor but the innermost.
struct Dim {
  const char *name;
  int64_t size;
  int64_t stride;  // elements
};

enum class Access { read, write };

class Checker {
 public:
  // `capturing`: remember the blocks that were checked, for the graph. Null outside of streams.
  Checker(DeviceObject &device, StreamObject *stream) : device_(device), stream_(stream) {}

  bool is_cpu() const { return device_.device_kind == FP_DEVICE_CPU; }

  // [begin, begin + num_bytes) lies in one live block. num_bytes 0: any address will do.
  void check_range(fp_address address, int64_t num_bytes, const char *name);
  // The tensor [dims..., inner] of dtype. A tensor without elements may be absent.
  // Tensors that are written must not overlap themselves.
  void check_tensor(const char *name, fp_address address, int dtype, std::initializer_list<Dim> dims, int64_t inner, Access access,
                    int alignment_bytes = 1);

 private:
  [[noreturn]] void refuse_range(uintptr_t begin, int64_t num_bytes, const char *name) const;

  DeviceObject &device_;
  StreamObject *stream_;
};

// f64 -> a whole number in 0 .. 2^53 - 1.
int64_t whole(double value, const char *name);
uintptr_t check_address(fp_address address, const char *name);
int64_t multiply(int64_t a, int64_t b, const char *name);
void check_between(int64_t value, int64_t low, int64_t high, const char *name);
void check_flag(int value, const char *name);
void check_finite(float value, const char *name);
void check_struct_size(uint32_t struct_size, size_t expected, const char *name);

constexpr unsigned dtype_bit(int dtype) { return 1u << dtype; }
constexpr unsigned float_dtypes = dtype_bit(FP_F32) | dtype_bit(FP_F16) | dtype_bit(FP_BF16);
constexpr unsigned half_dtypes = dtype_bit(FP_F16) | dtype_bit(FP_BF16);
constexpr unsigned fp8_dtypes = dtype_bit(FP_E4M3) | dtype_bit(FP_E5M2);
// Refuses a dtype outside of the set; the text lists the set.
void check_dtype(int dtype, unsigned allowed, const char *name, const char *where);
const char *dtype_name(int dtype);
int dtype_bytes(int dtype);
inline bool is_fp8(int dtype) { return dtype == FP_E4M3 || dtype == FP_E5M2; }

// The operations. False: legal, but there is nothing to do.
bool check_attention(Checker &checker, const fp_attention_args &args);
bool check_merge_states(Checker &checker, const fp_merge_states_args &args);
bool check_plan_decode(Checker &checker, const fp_plan_decode_args &args);
bool check_kv_append(Checker &checker, const fp_kv_append_args &args);
bool check_kv_copy_pages(Checker &checker, const fp_kv_copy_pages_args &args);
bool check_rms_norm(Checker &checker, const fp_rms_norm_args &args);
bool check_rope(Checker &checker, const fp_rope_args &args);
bool check_silu_and_mul(Checker &checker, const fp_silu_and_mul_args &args);
bool check_embedding(Checker &checker, const fp_embedding_args &args);
bool check_linear(Checker &checker, const fp_linear_args &args);
bool check_argmax(Checker &checker, const fp_argmax_args &args);
bool check_sample(Checker &checker, const fp_sample_args &args);

// Shared by attention and the KV cache.
void check_head_dims(int head_dim_qk, int head_dim_vo);
void check_page_size(int page_size);
// A section of a plan: within it, behind its header.
void check_plan_section(int offset, int count, int64_t entry_words, int64_t plan_words, const char *name);
// The scale of queries, keys or values, "q", "k" or "v", of all heads and of each: 1 and absent unless they are FP8.
void check_scale(Checker &checker, const char *of, int dtype, float scale, fp_address head_scales, int num_heads);
// Also what fp_attention_get_limits takes.
void check_attention_shape(bool is_cpu, int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size);
// Rows that CUDA kernels read and write in 16-byte pieces.
int row_alignment(const Checker &checker);

}  // namespace fp

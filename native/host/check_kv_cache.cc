// check_kv_cache.cc: appending to the paged cache and copying its pages. Slots and page pairs live on the device; the
// operations skip those outside of the cache that was checked here.
#include "check.h"

namespace fp {
namespace {

struct Cache {
  int dtype, num_pages, page_size, num_kv_heads, head_dim_qk, head_dim_vo;
  fp_address k, v;
  double k_page_stride, k_token_stride, k_head_stride, v_page_stride, v_token_stride, v_head_stride;
};

template <typename Args>
Cache cache_of(const Args &args, int dtype) {
  return {dtype,               args.num_pages,           args.page_size,          args.num_kv_heads,
          args.head_dim_qk,    args.head_dim_vo,         args.k_cache,            args.v_cache,
          args.k_page_stride,  args.k_cache_token_stride, args.k_cache_head_stride, args.v_page_stride,
          args.v_cache_token_stride, args.v_cache_head_stride};
}

void check_cache(Checker &checker, const Cache &cache) {
  check_dtype(cache.dtype, (checker.is_cpu() ? float_dtypes : half_dtypes) | fp8_dtypes, "the cache's dtype",
              checker.is_cpu() ? "by the KV cache on the CPU" : "by the KV cache on CUDA");
  check_head_dims(cache.head_dim_qk, cache.head_dim_vo);
  check_page_size(cache.page_size);
  check_between(cache.num_kv_heads, 1, 65535, "num_kv_heads");
  check_between(cache.num_pages, 0, INT32_MAX, "num_pages");
  if (static_cast<int64_t>(cache.num_pages) * cache.page_size > INT32_MAX) {
    fail(FP_NOT_SUPPORTED, "num_pages %d x page_size %d is more than 2^31 - 1 tokens, the most that 32-bit slots can name.", cache.num_pages,
         cache.page_size);
  }
  const int alignment = row_alignment(checker);
  checker.check_tensor("k_cache", cache.k, cache.dtype,
                       {{"num_pages", cache.num_pages, whole(cache.k_page_stride, "k_page_stride")},
                        {"page_size", cache.page_size, whole(cache.k_token_stride, "k_cache_token_stride")},
                        {"num_kv_heads", cache.num_kv_heads, whole(cache.k_head_stride, "k_cache_head_stride")}},
                       cache.head_dim_qk, Access::write, alignment);
  checker.check_tensor("v_cache", cache.v, cache.dtype,
                       {{"num_pages", cache.num_pages, whole(cache.v_page_stride, "v_page_stride")},
                        {"page_size", cache.page_size, whole(cache.v_token_stride, "v_cache_token_stride")},
                        {"num_kv_heads", cache.num_kv_heads, whole(cache.v_head_stride, "v_cache_head_stride")}},
                       cache.head_dim_vo, Access::write, alignment);
}

}  // namespace

bool check_kv_append(Checker &checker, const fp_kv_append_args &args) {
  check_cache(checker, cache_of(args, args.cache_dtype));
  check_dtype(args.dtype, dtype_bit(args.cache_dtype) | (is_fp8(args.cache_dtype) ? float_dtypes : 0), "dtype", "beside this cache_dtype");
  check_scale(checker, "k", args.cache_dtype, args.k_scale, args.k_head_scales, args.num_kv_heads);
  check_scale(checker, "v", args.cache_dtype, args.v_scale, args.v_head_scales, args.num_kv_heads);
  check_between(args.num_tokens, 0, INT32_MAX, "num_tokens");
  check_between(args.rotary_dim, 0, args.head_dim_qk, "rotary_dim");
  if (args.rotary_dim % 2 != 0) fail(FP_INVALID_ARGUMENT, "rotary_dim is %d, and must be even.", args.rotary_dim);
  if (args.rotary_dim != 0 && is_fp8(args.dtype)) fail(FP_INVALID_ARGUMENT, "rotary_dim is %d and k is %s: keys are rotated before they become FP8.", args.rotary_dim, dtype_name(args.dtype));
  check_flag(args.rope_interleaved, "rope_interleaved");
  const int alignment = row_alignment(checker);
  checker.check_tensor("k", args.k, args.dtype,
                       {{"num_tokens", args.num_tokens, whole(args.k_token_stride, "k_token_stride")},
                        {"num_kv_heads", args.num_kv_heads, whole(args.k_head_stride, "k_head_stride")}},
                       args.head_dim_qk, Access::read, alignment);
  checker.check_tensor("v", args.v, args.dtype,
                       {{"num_tokens", args.num_tokens, whole(args.v_token_stride, "v_token_stride")},
                        {"num_kv_heads", args.num_kv_heads, whole(args.v_head_stride, "v_head_stride")}},
                       args.head_dim_vo, Access::read, alignment);
  checker.check_tensor("slots", args.slots, FP_I32, {}, args.num_tokens, Access::read);
  if (args.rotary_dim > 0) {
    checker.check_tensor("positions", args.positions, FP_I32, {}, args.num_tokens, Access::read);
    checker.check_tensor("inv_freq", args.inv_freq, FP_F32, {}, args.rotary_dim / 2, Access::read);
  }
  return args.num_tokens > 0;
}

bool check_kv_copy_pages(Checker &checker, const fp_kv_copy_pages_args &args) {
  check_cache(checker, cache_of(args, args.dtype));
  check_between(args.num_copies, 0, INT32_MAX, "num_copies");
  checker.check_tensor("pairs", args.pairs, FP_I32, {{"num_copies", args.num_copies, 2}}, 2, Access::read);
  return args.num_copies > 0;
}

}  // namespace fp

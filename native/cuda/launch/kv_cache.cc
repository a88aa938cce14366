// kv_cache.cc: appending to the paged cache, and copying its pages. See kernels/kv_append.cuh, kernels/kv_append_fp8.cuh
// and kernels/kv_copy_pages.cuh.
#include <algorithm>
#include <cstdio>

#include "../parts/kv_cache_params.h"
#include "access.h"
#include "cuda.h"

namespace fp::cuda {
namespace {

// `dtype`: of the cache. `chunk_elements`: of a chunk of a head's row. Rows begin at multiples of 16 bytes and head dims are multiples of 32:
// host/check_kv_cache.cc saw to it.
template <typename Args>
KvCacheShape shape_of(const Launch &launch, const Args &args, int dtype, int chunk_elements, int64_t num_tokens) {
  KvCacheShape cache{};
  cache.k_cache = at<char>(args.k_cache);
  cache.v_cache = at<char>(args.v_cache);
  cache.k_page_bytes = stride_bytes(args.k_page_stride, dtype);
  cache.k_token_bytes = stride_bytes(args.k_cache_token_stride, dtype);
  cache.k_head_bytes = stride_bytes(args.k_cache_head_stride, dtype);
  cache.v_page_bytes = stride_bytes(args.v_page_stride, dtype);
  cache.v_token_bytes = stride_bytes(args.v_cache_token_stride, dtype);
  cache.v_head_bytes = stride_bytes(args.v_cache_head_stride, dtype);
  cache.num_kv_heads = args.num_kv_heads;
  cache.k_chunks = args.head_dim_qk / chunk_elements;
  cache.v_chunks = args.head_dim_vo / chunk_elements;
  cache.page_size = args.page_size;
  cache.num_pages = args.num_pages;
  // A CTA gets about four chunks a thread: some heads of one token, or some tokens of all heads; one token if that leaves SMs idle.
  constexpr int chunks = 4 * kv_threads;
  const int chunks_a_head = cache.k_chunks + cache.v_chunks;
  cache.heads_per_cta = std::min({chunks / chunks_a_head, args.num_kv_heads, kv_max_heads_per_cta});
  cache.tokens_per_cta = std::clamp(chunks / (chunks_a_head * cache.heads_per_cta), 1, kv_max_tokens_per_cta);
  if (divide_up(num_tokens, cache.tokens_per_cta) < 4 * num_sms(launch.device)) cache.tokens_per_cta = 1;
  return cache;
}

unsigned head_blocks(const KvCacheShape &cache) { return static_cast<unsigned>(divide_up(cache.num_kv_heads, cache.heads_per_cta)); }

}  // namespace

void launch_kv_append(const Launch &launch, const fp_kv_append_args &args) {
  if (args.num_pages == 0) return;  // no slot exists
  const bool becomes_fp8 = args.cache_dtype != args.dtype;
  KvAppendParams p{};
  p.cache = shape_of(launch, args, args.cache_dtype, becomes_fp8 ? 8 : 16 / element_bytes(args.dtype), args.num_tokens);
  p.k = at<const char>(args.k);
  p.v = at<const char>(args.v);
  p.k_token_bytes = stride_bytes(args.k_token_stride, args.dtype);
  p.k_head_bytes = stride_bytes(args.k_head_stride, args.dtype);
  p.v_token_bytes = stride_bytes(args.v_token_stride, args.dtype);
  p.v_head_bytes = stride_bytes(args.v_head_stride, args.dtype);
  p.slots = at<const int>(args.slots);
  p.num_tokens = args.num_tokens;
  if (args.rotary_dim > 0) {
    p.positions = at<const int>(args.positions);
    p.inv_freq = at<const float>(args.inv_freq);
    p.num_pairs = args.rotary_dim / 2;
    p.interleaved = args.rope_interleaved;
    p.wide_rotation = p.num_pairs % 8 == 0;
  }
  const Grid grid{static_cast<unsigned>(divide_up(args.num_tokens, p.cache.tokens_per_cta)), head_blocks(p.cache)};
  char name[32] = "kv_append";
  if (!becomes_fp8) {
    if (args.rotary_dim > 0) std::snprintf(name, sizeof name, "kv_append_rope_%s", dtype_suffix(args.dtype));
    launch_kernel(launch, find_kernel(launch.device, "kv_append", name), grid, kv_threads, 0, &p);
    return;
  }
  KvAppendFp8Params fp8{};
  fp8.append = p;
  fp8.k_head_scales = at<const float>(args.k_head_scales);
  fp8.v_head_scales = at<const float>(args.v_head_scales);
  fp8.k_scale = args.k_scale;
  fp8.v_scale = args.v_scale;
  fp8.is_e5m2 = args.cache_dtype == FP_E5M2;
  std::snprintf(name, sizeof name, "kv_append_fp8_%s", dtype_suffix(args.dtype));
  launch_kernel(launch, find_kernel(launch.device, "kv_append_fp8", name), grid, kv_threads, 0, &fp8);
}

void launch_kv_copy_pages(const Launch &launch, const fp_kv_copy_pages_args &args) {
  if (args.num_pages == 0) return;
  KvCopyPagesParams p{};
  p.num_tokens = int64_t{args.num_copies} * args.page_size;
  p.cache = shape_of(launch, args, args.dtype, 16 / element_bytes(args.dtype), p.num_tokens);
  p.pairs = at<const int>(args.pairs);
  constexpr int64_t most_ctas = 1 << 20;  // they walk the rest
  const Grid grid{static_cast<unsigned>(std::min(divide_up(p.num_tokens, p.cache.tokens_per_cta), most_ctas)), head_blocks(p.cache)};
  launch_kernel(launch, find_kernel(launch.device, "kv_copy_pages", "kv_copy_pages"), grid, kv_threads, 0, &p);
}

}  // namespace fp::cuda

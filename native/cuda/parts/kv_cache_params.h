// kv_cache_params.h: what the kernels of kv_cache.cc are given. Plain C types: the launcher includes it too.
// Strides count bytes; every row of a head begins at a multiple of 16.
#pragma once

namespace fp {

// The cache, and the shape of a token: the parts that appending and copying share.
struct KvCacheShape {
  char *k_cache;  // page, token of the page, head
  char *v_cache;
  long long k_page_bytes;
  long long k_token_bytes;
  long long k_head_bytes;
  long long v_page_bytes;
  long long v_token_bytes;
  long long v_head_bytes;
  int num_kv_heads;
  int k_chunks;  // pieces of a head's key and of its value: of 16 bytes where they are copied, of 8 elements where they become FP8
  int v_chunks;
  int page_size;
  int num_pages;
  // The part of one CTA.
  int tokens_per_cta;
  int heads_per_cta;
};

struct KvAppendParams {
  KvCacheShape cache;
  const char *k;  // [num_tokens, num_kv_heads, head_dim_qk]
  const char *v;  // [num_tokens, num_kv_heads, head_dim_vo]
  long long k_token_bytes;
  long long k_head_bytes;
  long long v_token_bytes;
  long long v_head_bytes;
  const int *slots;       // [num_tokens]
  const int *positions;   // [num_tokens]; with RoPE
  const float *inv_freq;  // [num_pairs]; with RoPE
  int num_tokens;
  int num_pairs;      // rotary_dim / 2
  int interleaved;    // pairs (2i, 2i + 1), else (i, i + num_pairs)
  int wide_rotation;  // pairs come by whole chunks, so that they move in 16 bytes
};

// Into a cache of FP8 from a wider dtype. A true number is an element * scale * its head's scale.
struct KvAppendFp8Params {
  KvAppendParams append;
  const float *k_head_scales;  // [num_kv_heads]; null: all 1
  const float *v_head_scales;
  float k_scale;
  float v_scale;
  int is_e5m2;  // else e4m3
};

struct KvCopyPagesParams {
  KvCacheShape cache;
  const int *pairs;  // [num_copies, 2]: source page, target page
  long long num_tokens;  // num_copies * page_size
};

constexpr int kv_threads = 256;
constexpr int kv_max_tokens_per_cta = 8;
constexpr int kv_max_heads_per_cta = 64;
constexpr int kv_max_pairs = 128;  // head dims reach 256

}  // namespace fp

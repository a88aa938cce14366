// query_params.h: what the kernel that turns FP8 queries into 16-bit ones is given. Plain C types: the launcher includes it too.
#pragma once

namespace fp {

constexpr int query_threads = 256;

struct QueryParams {
  const char *q;             // [num_tokens, num_heads, head_dim], e4m3
  char *out;                 // the same, contiguous, 16 bits
  const float *head_scales;  // [num_heads], or null
  long long q_token_bytes;
  long long q_head_bytes;
  long long num_chunks;  // of 16 elements, of all rows
  int num_heads;
  int chunks_of_row;
};

}  // namespace fp

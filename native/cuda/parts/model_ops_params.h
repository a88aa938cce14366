// model_ops_params.h: what the kernels of model_ops.cc are given. Plain C types: the launcher includes it too.
// Strides count bytes. "Pack": neighbouring elements of one access, 16 bytes or one element, as the kernel's name says.
#pragma once

namespace fp {

// How the threads of a CTA lie over a matrix: 2^lanes_log2 of them side by side on a row, rows one after another.
struct RowLanes {
  unsigned lanes_log2;
  unsigned column_blocks;  // CTAs that share a row
};

struct RmsNormParams {
  const char *x;       // [num_rows, dim]
  char *residual;      // [num_rows, dim], or null
  const char *weight;  // [dim]
  char *out;           // [num_rows, dim]; may be x
  long long x_row_bytes;
  long long residual_row_bytes;
  long long out_row_bytes;
  int num_rows;
  int dim;
  int num_packs;  // of a row
  unsigned lanes_log2;
  float eps;
};

struct SiluAndMulParams {
  const char *x;  // [num_rows, 2 * dim]
  char *out;      // [num_rows, dim]
  long long x_row_bytes;
  long long up_bytes;  // from a row's gate half to its other half
  long long out_row_bytes;
  int num_rows;
  int num_packs;  // of a row of out
  RowLanes lanes;
};

struct EmbeddingParams {
  const int *ids;     // [num_tokens]
  const char *table;  // [vocab_size, dim]
  char *out;          // [num_tokens, dim]
  long long row_bytes;
  int num_tokens;
  int vocab_size;
  int num_packs;  // of a row
  RowLanes lanes;
};

struct RopeParams {
  char *x;                // [num_tokens, num_heads, head_dim]
  const int *positions;   // [num_tokens]
  const float *inv_freq;  // [num_pairs]
  long long token_bytes;
  long long head_bytes;
  int num_tokens;
  int num_heads;
  int num_pairs;    // rotary_dim / 2
  int interleaved;  // pairs (2i, 2i + 1), else (i, i + num_pairs)
  // The part of one CTA.
  int tokens_per_cta;
  int heads_per_cta;
  int pairs_per_cta;
  int pair_blocks;
};

constexpr int rope_table_pairs = 1024;  // tokens_per_cta * pairs_per_cta at most
constexpr int model_op_threads = 256;
constexpr int silu_steps = 2;       // packs of a thread
constexpr int embedding_steps = 4;
constexpr int rms_norm_held = 2;      // packs of a thread that stay in registers
constexpr int rms_norm_max_lanes_log2 = 9;

}  // namespace fp

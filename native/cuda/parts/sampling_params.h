// sampling_params.h: what the kernels of sampling.cc are given. Plain C types: the launcher includes it too.
#pragma once

namespace fp {

// fp_sampling_row of flashpage.h, where the fields are explained; the launcher asserts that they match.
struct SamplingRow {
  float temperature;
  int top_k;
  float top_p;
  unsigned seed_lo;
  unsigned seed_hi;
  unsigned step;
};

enum LogitsDtype { kF32Logits = 0, kF16Logits = 1, kBf16Logits = 2 };  // as fp_dtype

struct ArgmaxParams {
  const char *logits;  // [num_rows, vocab_size]
  long long row_bytes;
  int *out;                   // [num_rows]
  unsigned long long *parts;  // [num_rows, num_parts] ranks, if num_parts > 1
  int num_rows;
  int vocab_size;
  int num_parts;  // CTAs that share a row
  int part_size;  // elements; a multiple of 16
};

struct SampleParams {
  const char *logits;  // [num_rows, vocab_size]
  long long row_bytes;
  const SamplingRow *rows;  // [num_rows]
  int *out;                 // [num_rows]
  int num_rows;
  int vocab_size;
  int num_segments;
  int dtype;  // LogitsDtype
  // What sample_segments finds out for sample_pick.
  unsigned long long *segment_best;  // [num_rows, num_segments] rank of the largest logit
  double *segment_mass;              // [num_rows, num_segments] sum of the weights relative to that logit
  unsigned *group_max;               // [num_rows, num_segments * sample_segment_threads] key of each group's largest logit
};

constexpr int argmax_threads = 256;
constexpr int argmax_merge_threads = 128;

// A segment is read by one CTA, a group of it by one thread.
constexpr int sample_segment_threads = 128;
constexpr int sample_group = 32;  // elements
constexpr int sample_segment = sample_segment_threads * sample_group;

constexpr int sample_pick_threads = 384;
constexpr int sample_candidates = 8192;  // a power of two
static_assert((1 << 24) / sample_segment <= sample_candidates);  // the list's memory also holds a sum for each segment of the longest row
constexpr int sample_pick_shared_bytes = sample_candidates * 8;

}  // namespace fp

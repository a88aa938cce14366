// sampling.cc: the next token of each row. flashpage.h says exactly what is drawn; the CUDA kernel draws the same.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "../host/backend.h"
#include "choose_rows.h"
#include "ops.h"
#include "scratch.h"

namespace fp::cpu {
namespace {

// Philox4x32-10 (Salmon et al., 2011), word 0 of the block with counter (step, 0, 0, 0).
uint32_t philox(uint32_t key0, uint32_t key1, uint32_t step) {
  uint32_t c0 = step, c1 = 0, c2 = 0, c3 = 0;
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t{0xD2511F53u} * c0, b = uint64_t{0xCD9E8D57u} * c2;
    const uint32_t n0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ key0, n2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ key1;
    c1 = static_cast<uint32_t>(b);
    c3 = static_cast<uint32_t>(a);
    c0 = n0;
    c2 = n2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c0;
}

// One thread's memory for a row.
struct RowMemory {
  ScratchMemory logits, weights, maxima;
  std::vector<int> kept;
};

// The order in which tokens are kept: larger logits first, ties by lower index.
struct Larger {
  const float *logits;
  bool operator()(int a, int b) const { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; }
};

void collect(const float *logits, int vocab, float least, std::vector<int> &out) {
  out.clear();
  for (int i = 0; i < vocab; i++) {
    if (logits[i] >= least) out.push_back(i);
  }
}

// The k largest, in any order. The k-th largest of the blocks' maxima is no more than the k-th largest logit, so few others need be looked at.
void keep_top_k(const ModelRows &rows, const float *logits, int vocab, int k, RowMemory &memory) {
  const int num_blocks = (vocab + maxima_block - 1) / maxima_block;
  float least = -INFINITY;
  if (k <= num_blocks) {
    float *maxima = memory.maxima.get<float>(num_blocks);
    rows.block_maxima(logits, vocab, maxima);
    std::nth_element(maxima, maxima + k - 1, maxima + num_blocks, std::greater<float>());
    least = maxima[k - 1];
  }
  collect(logits, vocab, least, memory.kept);
  std::nth_element(memory.kept.begin(), memory.kept.begin() + k - 1, memory.kept.end(), Larger{logits});
  memory.kept.resize(k);
}

double sum_of(const std::vector<int> &tokens, const float *weights) {
  double sum = 0;
  for (const int token : tokens) sum += weights[token];
  return sum;
}

// Of the tokens in `kept`, the smallest set, most probable first, whose weight reaches `wanted`.
void keep_weight(const float *logits, const float *weights, double wanted, std::vector<int> &kept) {
  std::sort(kept.begin(), kept.end(), Larger{logits});
  double reached = 0;
  size_t count = 0;
  while (count < kept.size()) {
    reached += weights[kept[count++]];
    if (reached >= wanted) break;
  }
  kept.resize(count);
}

int draw(const ModelRows &rows, const float *logits, int vocab, const fp_sampling_row &row, RowMemory &memory) {
  const int best = rows.argmax(FP_F32, logits, vocab);
  const float maximum = logits[best];
  if (row.temperature == 0.0f || maximum == -INFINITY || maximum == INFINITY) return best;
  float *weights = memory.weights.get<float>(vocab);
  rows.exponentials(logits, vocab, maximum, row.temperature, weights);
  const bool cuts_k = row.top_k > 0 && row.top_k < vocab, cuts_p = row.top_p < 1.0f;
  std::vector<int> &kept = memory.kept;
  if (cuts_k) keep_top_k(rows, logits, vocab, row.top_k, memory);
  if (cuts_p && cuts_k) {
    keep_weight(logits, weights, row.top_p * sum_of(kept, weights), kept);
  } else if (cuts_p) {
    double total = 0;
    for (int i = 0; i < vocab; i++) total += weights[i];
    // Few tokens have nearly all the weight: look among those down to e^-8 of the best, and further only if they don't reach it.
    for (float depth = 8;; depth *= 4) {
      const float least = depth < 200 ? maximum - depth * row.temperature : -INFINITY;
      collect(logits, vocab, least, kept);
      if (least == -INFINITY || sum_of(kept, weights) >= row.top_p * total) break;
    }
    keep_weight(logits, weights, row.top_p * total, kept);
  }
  const double uniform = philox(row.seed_lo, row.seed_hi, row.step) * 0x1p-32;
  int last = best;
  double reached = 0;
  if (cuts_k || cuts_p) {
    std::sort(kept.begin(), kept.end());
    const double threshold = uniform * sum_of(kept, weights);
    for (const int token : kept) {
      if (weights[token] == 0.0f) continue;
      reached += weights[token];
      last = token;
      if (reached > threshold) break;
    }
    return last;
  }
  double total = 0;
  for (int i = 0; i < vocab; i++) total += weights[i];
  const double threshold = uniform * total;
  for (int i = 0; i < vocab; i++) {
    if (weights[i] == 0.0f) continue;
    reached += weights[i];
    last = i;
    if (reached > threshold) break;
  }
  return last;
}

const char *logits_at(fp_address logits, double row_stride, int row, int dtype) {
  return at<const char>(logits) + static_cast<int64_t>(row_stride) * row * (dtype == FP_F32 ? 4 : 2);
}

}  // namespace

void argmax(const fp_argmax_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  pool.run(args.num_rows, [&](int row, int) {
    at<int32_t>(args.out)[row] = rows.argmax(args.dtype, logits_at(args.logits, args.logits_row_stride, row, args.dtype), args.vocab_size);
  });
}

void sample(const fp_sample_args &args, ThreadPool &pool, Isa isa) {
  const ModelRows &rows = choose_rows(isa);
  pool.run(args.num_rows, [&](int row, int) {
    thread_local RowMemory memory;
    float *logits = memory.logits.get<float>(args.vocab_size);
    rows.load_logits(args.dtype, logits_at(args.logits, args.logits_row_stride, row, args.dtype), args.vocab_size, logits);
    at<int32_t>(args.out)[row] = draw(rows, logits, args.vocab_size, at<const fp_sampling_row>(args.rows)[row], memory);
  });
}

}  // namespace fp::cpu

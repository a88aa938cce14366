// sampling.cc: the next token of each row. flashpage.h says exactly what is drawn; the CUDA kernel draws the same.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../host/backend.h"
#include "float_convert.h"
#include "ops.h"

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

// A row as floats, NaN as -infinity.
void load_logits(int dtype, fp_address base, int64_t offset, int count, std::vector<float> &out) {
  out.resize(count);
  load_floats(dtype, at<const void>(base), offset, count, out.data());
  for (float &value : out) value = std::isnan(value) ? -INFINITY : value;
}

int argmax_of(const std::vector<float> &logits) {
  int best = 0;
  for (int i = 1; i < static_cast<int>(logits.size()); i++) {
    if (logits[i] > logits[best]) best = i;
  }
  return best;
}

int draw(const std::vector<float> &logits, const fp_sampling_row &row) {
  const int best = argmax_of(logits);
  const float maximum = logits[best];
  if (row.temperature == 0.0f || maximum == -INFINITY || maximum == INFINITY) return best;
  const int vocab = static_cast<int>(logits.size());
  std::vector<float> weights(vocab);
  for (int i = 0; i < vocab; i++) weights[i] = std::exp((logits[i] - maximum) / row.temperature);
  const bool cuts_k = row.top_k > 0 && row.top_k < vocab, cuts_p = row.top_p < 1.0f;
  if (cuts_k || cuts_p) {
    std::vector<int> order(vocab);
    for (int i = 0; i < vocab; i++) order[i] = i;
    const auto larger = [&](int a, int b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
    int kept = vocab;
    if (cuts_k) {
      kept = row.top_k;
      std::nth_element(order.begin(), order.begin() + kept - 1, order.end(), larger);
    }
    if (cuts_p) {
      double total = 0, reached = 0;
      for (int i = 0; i < kept; i++) total += weights[order[i]];
      std::sort(order.begin(), order.begin() + kept, larger);
      int count = 0;
      while (count < kept) {
        reached += weights[order[count++]];
        if (reached >= row.top_p * total) break;
      }
      kept = count;
    }
    for (int i = kept; i < vocab; i++) weights[order[i]] = 0;
  }
  double total = 0;
  for (const float weight : weights) total += weight;
  const double threshold = philox(row.seed_lo, row.seed_hi, row.step) * 0x1p-32 * total;
  double reached = 0;
  int last = best;
  for (int i = 0; i < vocab; i++) {
    if (weights[i] == 0.0f) continue;
    reached += weights[i];
    last = i;
    if (reached > threshold) return i;
  }
  return last;
}

}  // namespace

void argmax(const fp_argmax_args &args, ThreadPool &pool, Isa) {
  pool.run(args.num_rows, [&](int row, int) {
    thread_local std::vector<float> logits;
    load_logits(args.dtype, args.logits, static_cast<int64_t>(args.logits_row_stride) * row, args.vocab_size, logits);
    at<int32_t>(args.out)[row] = argmax_of(logits);
  });
}

void sample(const fp_sample_args &args, ThreadPool &pool, Isa) {
  pool.run(args.num_rows, [&](int row, int) {
    thread_local std::vector<float> logits;
    load_logits(args.dtype, args.logits, static_cast<int64_t>(args.logits_row_stride) * row, args.vocab_size, logits);
    at<int32_t>(args.out)[row] = draw(logits, at<const fp_sampling_row>(args.rows)[row]);
  });
}

}  // namespace fp::cpu

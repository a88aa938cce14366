// linear_bf16_avx512.cc: products of bf16 by vdpbf16ps, which multiplies pairs: twice the rate of f32, and nothing to convert.
#include <immintrin.h>

#include "linear_form.h"

#define FP_LANES 16
namespace fp::cpu {
namespace avx512_bf16_linear {
namespace {
#include "simd.inl"

#include "avx512_blocks.inl"
#include "linear_few.inl"

typedef __m512bh Pairs;

// ---- few tokens: dot products, 32 elements of a row at a time ----

inline size_t few_bytes(int, int64_t k) { return static_cast<size_t>(padded(k)) * few_tokens * 2; }

inline void pack_few_pairs(int, const void *x, int64_t x_stride, int num_tokens, int64_t k, void *packed) {
  for (int m = 0; m < num_tokens; m++) {
    const uint16_t *row = static_cast<const uint16_t *>(x) + m * x_stride;
    uint16_t *target = static_cast<uint16_t *>(packed) + m * padded(k);
    __builtin_memcpy(target, row, static_cast<size_t>(k) * 2);
    for (int64_t i = k; i < padded(k); i++) target[i] = 0;
  }
}

template <int num_tokens, int num_outputs>
FP_INLINE void pair_dots(const uint16_t *x, const uint16_t *w, int64_t k, float *sums) {
  const int64_t x_stride = padded(k);
  Floats sum[num_outputs][num_tokens] = {};
  const auto step = [&](int64_t i, __mmask32 mask) __attribute__((always_inline)) {
    Pairs weight[num_outputs];
    for (int n = 0; n < num_outputs; n++) prefetch_weights(w + n * k + i);
    for (int n = 0; n < num_outputs; n++) weight[n] = mask == 0xffffffffu ? load<Pairs>(w + n * k + i) : (Pairs)_mm512_maskz_loadu_epi16(mask, w + n * k + i);
    for (int m = 0; m < num_tokens; m++) {
      const Pairs token = load<Pairs>(x + m * x_stride + i);
      for (int n = 0; n < num_outputs; n++) sum[n][m] = _mm512_dpbf16_ps(sum[n][m], weight[n], token);
    }
  };
  const int64_t whole = k / 32 * 32;
  for (int64_t i = 0; i < whole; i += 32) step(i, 0xffffffffu);
  if (whole < k) step(whole, (1u << (k - whole)) - 1);
  for (int m = 0; m < num_tokens; m++) {
    if constexpr (num_outputs == 4) store(sums + m * few_outputs, sums_of(sum[0][m], sum[1][m], sum[2][m], sum[3][m]));
    else for (int n = 0; n < num_outputs; n++) sums[m * few_outputs + n] = sum_of(sum[n][m]);
  }
}

template <int num_tokens>
void pair_dots_of_run(const uint16_t *x, const uint16_t *w, int64_t k, int count, float *sums) {
  constexpr int at_once = num_tokens <= 6 ? 4 : 2;
  int n = 0;
  for (; n + at_once <= count; n += at_once) pair_dots<num_tokens, at_once>(x, w + n * k, k, sums + n);
  for (; n < count; n++) pair_dots<num_tokens, 1>(x, w + n * k, k, sums + n);
}

inline void multiply_few_pairs(const LinearTask &task) {
  const uint16_t *w = static_cast<const uint16_t *>(task.w), *packed = static_cast<const uint16_t *>(task.packed);
  const int64_t k = task.k;
  alignas(64) float sums[few_tokens * few_outputs];
  for (int first = 0; first < task.num_outputs; first += few_outputs) {
    const int count = task.num_outputs - first < few_outputs ? task.num_outputs - first : few_outputs;
    for (int token = 0; token < task.num_tokens; token += few_tokens) {
      const int tokens = task.num_tokens - token < few_tokens ? task.num_tokens - token : few_tokens;
      const uint16_t *x = packed + token * padded(k), *run = w + first * k;
      switch (tokens) {
        case 1: pair_dots_of_run<1>(x, run, k, count, sums); break;
        case 2: pair_dots_of_run<2>(x, run, k, count, sums); break;
        case 3: pair_dots_of_run<3>(x, run, k, count, sums); break;
        case 4: pair_dots_of_run<4>(x, run, k, count, sums); break;
        case 5: pair_dots_of_run<5>(x, run, k, count, sums); break;
        case 6: pair_dots_of_run<6>(x, run, k, count, sums); break;
        case 7: pair_dots_of_run<7>(x, run, k, count, sums); break;
        default: pair_dots_of_run<8>(x, run, k, count, sums);
      }
      store_runs(task, sums, token, tokens, first, count);
    }
  }
}

// ---- many tokens: panels of 16, a pair of weights broadcast to them ----

constexpr int outputs_at_once = 8, panels_at_once = 3;
constexpr int64_t line_steps = 16;  // pairs of a row in a cache line

inline int64_t panel_elements(int64_t k) { return padded(k) * lanes; }
inline size_t panel_bytes(int, int64_t k) { return static_cast<size_t>(panel_elements(k)) * 2; }
inline size_t edge_bytes(int, int64_t k) { return static_cast<size_t>(padded(k)) * outputs_at_once * 2; }

inline void pack_panel(int, const void *x, int64_t x_stride, int num_tokens, int64_t k, void *packed) {
  const uint16_t *rows = static_cast<const uint16_t *>(x);
  pack_pairs([&](int i) { return rows + i * x_stride; }, num_tokens, k, static_cast<uint32_t *>(packed));
}

template <int num_panels>
void multiply_panels(const LinearTask &task, const uint16_t *w, int64_t w_stride, int first_panel, int first_output, int num_outputs) {
  const int64_t steps = (task.k + 1) / 2, panel_stride = panel_elements(task.k);
  const uint16_t *x = static_cast<const uint16_t *>(task.packed) + first_panel * panel_stride;
  Floats sum[outputs_at_once][num_panels];
  for (int n = 0; n < outputs_at_once; n++) {
    const Floats bias = all(task.bias != nullptr && n < num_outputs ? task.bias[first_output + n] : 0.0f);
    for (int p = 0; p < num_panels; p++) sum[n][p] = bias;
  }
  for (int64_t begin = 0; begin < steps; begin += line_steps) {
    const int64_t end = begin + line_steps < steps ? begin + line_steps : steps;
    // The first panels to meet these rows of weights call for the next ones.
    if (first_panel == 0) {
      for (int n = 0; n < outputs_at_once; n++) _mm_prefetch(reinterpret_cast<const char *>(w + (outputs_at_once + n) * w_stride + 2 * begin), _MM_HINT_T0);
    }
    for (int64_t i = begin; i < end; i++) {
      Pairs token[num_panels];
      for (int p = 0; p < num_panels; p++) token[p] = load<Pairs>(x + p * panel_stride + i * 2 * lanes);
      for (int n = 0; n < outputs_at_once; n++) {
        const Pairs weight = (Pairs)_mm512_set1_epi32(load<int32_t>(w + n * w_stride + 2 * i));
        for (int p = 0; p < num_panels; p++) sum[n][p] = _mm512_dpbf16_ps(sum[n][p], token[p], weight);
      }
    }
  }
  const bool is_f32 = task.out_dtype == FP_F32;
  const int64_t out_bytes = is_f32 ? 4 : 2, stride_bytes = task.out_stride * out_bytes;
  for (int p = 0; p < num_panels; p++) {
    const int first_token = (first_panel + p) * lanes, left = task.num_tokens - first_token;
    char *out = static_cast<char *>(task.out) + first_token * stride_bytes + first_output * out_bytes;
    __m512 results[8];
    for (int n = 0; n < 8; n++) results[n] = (__m512)sum[n][p];
    if (left >= lanes && num_outputs == outputs_at_once) store_rows_of_8(results, is_f32, out, stride_bytes);
    else store_some_rows_of_8(results, is_f32, out, stride_bytes, left < lanes ? left : lanes, num_outputs);
  }
}

inline void multiply_many_pairs(const LinearTask &task) {
  const int num_panels = (task.num_tokens + lanes - 1) / lanes;
  for (int first = 0; first < task.num_outputs; first += outputs_at_once) {
    const int count = task.num_outputs - first < outputs_at_once ? task.num_outputs - first : outputs_at_once;
    const uint16_t *w = static_cast<const uint16_t *>(task.w) + first * task.k;
    int64_t w_stride = task.k;
    if (count < outputs_at_once || task.k % 2 != 0) {
      // Rows that are not there, or a pair across the end of a row: work on a padded copy.
      uint16_t *copy = static_cast<uint16_t *>(task.scratch);
      w_stride = padded(task.k);
      __builtin_memset(copy, 0, edge_bytes(FP_BF16, task.k));
      for (int n = 0; n < count; n++) __builtin_memcpy(copy + n * w_stride, w + n * task.k, static_cast<size_t>(task.k) * 2);
      w = copy;
    }
    int panel = 0;
    for (; panel + panels_at_once <= num_panels; panel += panels_at_once) multiply_panels<panels_at_once>(task, w, w_stride, panel, first, count);
    if (num_panels - panel == 2) multiply_panels<2>(task, w, w_stride, panel, first, count);
    if (num_panels - panel == 1) multiply_panels<1>(task, w, w_stride, panel, first, count);
  }
}

constexpr LinearForm few_pairs = {few_tokens, few_step, few_bytes, pack_few_pairs, few_scratch_bytes, multiply_few_pairs};
constexpr LinearForm many_pairs = {lanes, outputs_at_once, panel_bytes, pack_panel, edge_bytes, multiply_many_pairs};

}  // namespace
}  // namespace avx512_bf16_linear

const LinearForm &linear_form_bf16_avx512(bool few) { return few ? avx512_bf16_linear::few_pairs : avx512_bf16_linear::many_pairs; }

}  // namespace fp::cpu

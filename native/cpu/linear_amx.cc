// linear_amx.cc: C[32 outputs, 32 tokens] = W[32, k] . X^T[k, 32] by tdpbf16ps.
//
// Weights are the first operand, since its tiles are plain rows: checkpoints need no repacking. Tokens are packed once a call, a panel of 16 being the second operand.
// Four sums share four loaded tiles, so each loaded byte is used twice; a step of 32 k is 4 products of 16 cycles beside
// 4 loads of 8.
#include <immintrin.h>

#include "linear_form.h"

namespace fp::cpu {
namespace amx_linear {
namespace {
#include "amx_tiles.inl"
#include "avx512_blocks.inl"

constexpr int tile_rows = 16;
constexpr int tile_k = 32;  // elements
constexpr int outputs_at_once = 2 * tile_rows;
constexpr int tile_elements = tile_rows * tile_k;

inline int64_t padded(int64_t k) { return (k + tile_k - 1) / tile_k * tile_k; }
inline size_t panel_bytes(int, int64_t k) { return static_cast<size_t>(padded(k)) * tile_rows * 2; }
inline size_t edge_bytes(int, int64_t k) { return static_cast<size_t>(padded(k)) * outputs_at_once * 2; }

inline void pack_panel(int, const void *x, int64_t x_stride, int num_tokens, int64_t k, void *packed) {
  const uint16_t *rows = static_cast<const uint16_t *>(x);
  pack_pairs([&](int i) { return rows + i * x_stride; }, num_tokens, k, static_cast<uint32_t *>(packed));
}

// Stores 16 outputs x 16 tokens, as a tile holds them: outputs by tokens.
inline void store_tile(const float *tile, const LinearTask &task, int first_token, int first_output) {
  const int tokens = task.num_tokens - first_token < tile_rows ? task.num_tokens - first_token : tile_rows;
  const bool is_f32 = task.out_dtype == FP_F32;
  const int64_t out_bytes = is_f32 ? 4 : 2, stride_bytes = task.out_stride * out_bytes;
  for (int half = 0; half < 2; half++) {
    const int output = first_output + 8 * half, outputs = task.num_outputs - output < 8 ? task.num_outputs - output : 8;
    if (outputs <= 0) return;
    __m512 results[8];
    for (int n = 0; n < 8; n++) {
      results[n] = _mm512_load_ps(tile + (8 * half + n) * tile_rows);
      if (task.bias != nullptr && n < outputs) results[n] = _mm512_add_ps(results[n], _mm512_set1_ps(task.bias[output + n]));
    }
    char *out = static_cast<char *>(task.out) + first_token * stride_bytes + output * out_bytes;
    if (tokens == tile_rows && outputs == 8) store_rows_of_8(results, is_f32, out, stride_bytes);
    else store_some_rows_of_8(results, is_f32, out, stride_bytes, tokens, outputs);
  }
}

// 32 outputs of all tokens. w: 32 readable rows, their stride in elements, k a multiple of tile_k.
inline void multiply_rows(const LinearTask &task, const uint16_t *w, int64_t w_stride, int first_output) {
  alignas(64) float result[4][tile_rows * tile_rows];
  const int64_t panel_stride = padded(task.k) * tile_rows, w_bytes = w_stride * 2;
  const uint16_t *packed = static_cast<const uint16_t *>(task.packed);
  for (int token = 0; token < task.num_tokens; token += 2 * tile_rows) {
    const bool has_second = task.num_tokens - token > tile_rows;
    const uint16_t *x = packed + token / tile_rows * panel_stride, *row = w;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < task.k; i += tile_k) {
      // The first tokens to meet these rows of weights call for the next ones.
      for (int r = 0; r < outputs_at_once && token == 0; r++) _mm_prefetch(reinterpret_cast<const char *>(row + (outputs_at_once + r) * w_stride), _MM_HINT_T0);
      _tile_loadd(4, row, w_bytes);
      _tile_loadd(5, row + tile_rows * w_stride, w_bytes);
      _tile_loadd(6, x, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 5, 6);
      if (has_second) {
        _tile_loadd(7, x + panel_stride, 64);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
      }
      row += tile_k;
      x += tile_elements;
    }
    _tile_stored(0, result[0], 64);
    _tile_stored(1, result[1], 64);
    store_tile(result[0], task, token, first_output);
    store_tile(result[1], task, token, first_output + tile_rows);
    if (has_second) {
      _tile_stored(2, result[2], 64);
      _tile_stored(3, result[3], 64);
      store_tile(result[2], task, token + tile_rows, first_output);
      store_tile(result[3], task, token + tile_rows, first_output + tile_rows);
    }
  }
}

inline void multiply_many(const LinearTask &task) {
  const Tiles tiles;
  for (int first = 0; first < task.num_outputs; first += outputs_at_once) {
    const int count = task.num_outputs - first < outputs_at_once ? task.num_outputs - first : outputs_at_once;
    const uint16_t *w = static_cast<const uint16_t *>(task.w) + first * task.k;
    int64_t w_stride = task.k;
    if (count < outputs_at_once || task.k % tile_k != 0) {
      // The tiles would read past a row's or the weight's end: work on a padded copy.
      uint16_t *copy = static_cast<uint16_t *>(task.scratch);
      w_stride = padded(task.k);
      __builtin_memset(copy, 0, edge_bytes(FP_BF16, task.k));
      for (int n = 0; n < count; n++) __builtin_memcpy(copy + n * w_stride, w + n * task.k, static_cast<size_t>(task.k) * 2);
      w = copy;
    }
    multiply_rows(task, w, w_stride, first);
  }
}

constexpr LinearForm form = {tile_rows, outputs_at_once, panel_bytes, pack_panel, edge_bytes, multiply_many};

}  // namespace
}  // namespace amx_linear

const LinearForm &linear_form_bf16_amx() { return amx_linear::form; }

}  // namespace fp::cpu

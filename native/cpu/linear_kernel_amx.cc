// linear_kernel_amx.cc: C[32 outputs, 32 tokens] += W[32, k] . X^T[k, 32] by tdpbf16ps.
//
// Weights are the first operand, since its tiles are plain rows: checkpoints need no repacking. The tokens, which are few, are packed once a call.
// Four accumulator tiles share four loaded ones, so each loaded byte is used twice; a step of 32 k is 4 products of 16 cycles
// beside 4 loads of 8. The result is outputs by tokens and is transposed on its way out.
#include <immintrin.h>

#include "linear_amx.h"

namespace fp::cpu {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// r[i] lane j -> r[j] lane i.
inline void transpose16(__m512 r[16]) {
  __m512 t[16];
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    const __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]), c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
    r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// Stores 16 outputs x 16 tokens, held outputs by tokens in `tile`.
inline void store_block(const float *tile, const TileProduct &p, int first_token, int first_output) {
  const int tokens = p.num_tokens - first_token < tile_rows ? p.num_tokens - first_token : tile_rows;
  const int outputs = p.num_outputs - first_output < tile_rows ? p.num_outputs - first_output : tile_rows;
  if (tokens <= 0 || outputs <= 0) return;
  __m512 r[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_load_ps(tile + i * tile_rows);
  transpose16(r);
  const __m512 bias = p.bias != nullptr ? _mm512_loadu_ps(p.bias + first_output) : _mm512_setzero_ps();
  const __mmask16 mask = static_cast<__mmask16>((1u << outputs) - 1);
  for (int t = 0; t < tokens; t++) {
    const __m512 row = _mm512_add_ps(r[t], bias);
    const int64_t offset = (first_token + t) * p.out_stride + first_output;
    if (p.out_is_f32) {
      _mm512_mask_storeu_ps(static_cast<float *>(p.out) + offset, mask, row);
    } else {
      const __m256bh narrow = _mm512_cvtneps_pbh(row);
      __m256i bits;
      __builtin_memcpy(&bits, &narrow, 32);
      _mm256_mask_storeu_epi16(static_cast<uint16_t *>(p.out) + offset, mask, bits);
    }
  }
}

}  // namespace

void begin_tiles_amx() {
  TileConfig config;
  for (int i = 0; i < 8; i++) {
    config.row_bytes[i] = 64;
    config.rows[i] = tile_rows;
  }
  _tile_loadconfig(&config);
}

void end_tiles_amx() { _tile_release(); }

void pack_tokens_amx(const uint16_t *x, int64_t x_stride, int num_tokens, int64_t k, uint16_t *packed) {
  const int64_t steps = (k + tile_k - 1) / tile_k;
  for (int64_t step = 0; step < steps; step++) {
    const int64_t left = k - step * tile_k;
    const __mmask32 mask = left >= tile_k ? 0xffffffffu : (1u << left) - 1;
    for (int half = 0; half < 2; half++) {
      __m512 r[16];
      for (int t = 0; t < tile_rows; t++) {
        const int token = half * tile_rows + t;
        r[t] = token < num_tokens ? _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, x + token * x_stride + step * tile_k)) : _mm512_setzero_ps();
      }
      transpose16(r);  // 32-bit units: pairs of k stay together
      float *target = reinterpret_cast<float *>(packed + (step * 2 + half) * tile_rows * tile_k);
      for (int i = 0; i < 16; i++) _mm512_store_ps(target + i * tile_rows, r[i]);
    }
  }
}

void multiply_tiles_amx(const TileProduct &p) {
  alignas(64) float result[4][tile_rows * tile_rows];
  const int64_t w_bytes = p.w_stride * 2;
  const int64_t block_elements = p.k_steps * 2 * tile_rows * tile_k;
  for (int token = 0; token < p.num_tokens; token += tiles_block) {
    const uint16_t *w = p.w, *x = p.packed + token / tiles_block * block_elements;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const bool second_half = p.num_tokens - token > tile_rows;
    for (int64_t step = 0; step < p.k_steps; step++) {
      _tile_loadd(4, w, w_bytes);
      _tile_loadd(5, w + tile_rows * p.w_stride, w_bytes);
      _tile_loadd(6, x, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 5, 6);
      if (second_half) {
        _tile_loadd(7, x + tile_rows * tile_k, 64);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
      }
      w += tile_k;
      x += 2 * tile_rows * tile_k;
    }
    _tile_stored(0, result[0], 64);
    _tile_stored(1, result[1], 64);
    store_block(result[0], p, token, 0);
    store_block(result[1], p, token, tile_rows);
    if (second_half) {
      _tile_stored(2, result[2], 64);
      _tile_stored(3, result[3], 64);
      store_block(result[2], p, token + tile_rows, 0);
      store_block(result[3], p, token + tile_rows, tile_rows);
    }
  }
}

}  // namespace fp::cpu

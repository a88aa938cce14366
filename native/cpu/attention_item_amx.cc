// attention_item_amx.cc: items of many bf16 rows by AMX tiles; the rest is AVX-512's.
//
// The shapes are those of attention_bf16_avx512.inl, since a panel of 16 rows in pairs is just what a second operand is: scores = K . Q^T has keys as
// they lie as the first operand, out^T = V^T . weights^T the values transposed, once a block. Tiles 0 to 3 are sums, 4 and 5 first operands, 6 and 7 second ones.
#include <immintrin.h>

#include "attention_item.h"

#define FP_LANES 16
namespace fp::cpu {
namespace amx_item {
namespace {
#include "simd.inl"

#include "amx_tiles.inl"
#include "attention_kv.inl"
#include "avx512_blocks.inl"
#include "panel_product.inl"

#include "attention_few.inl"
#include "attention_panels.inl"

#include "attention_bf16_avx512.inl"
#include "attention_fp8_avx512.inl"

constexpr int tile_rows = 16, tile_pairs = 16;
constexpr int row_bytes = lanes * 4;  // of a panel's vector

struct TileProducts : PairProducts {
  static constexpr int token_unit = 2 * tile_pairs;
  static constexpr int panels_at_once = 2;

  explicit TileProducts(PanelState &s) : PairProducts(s) {}

  void load_block(PanelState &s, int count) {
    const int dqk = s.item.head_dim_qk, dvo = s.item.head_dim_vo;
    find_keys(s, dqk);
    uint32_t *pairs = reinterpret_cast<uint32_t *>(s.values);
    pair_values(s, count, pairs);
    transposed_ = pairs + kv_block / 2 * dvo;  // [dvo][kv_block / 2] pairs
    for (int i = 0; i < kv_block / 2; i += 16) {
      for (int d = 0; d < dvo; d += 16) {
        __m512 block[16];
        for (int j = 0; j < 16; j++) block[j] = load<__m512>(pairs + (i + j) * dvo + d);
        transpose16(block);
        for (int j = 0; j < 16; j++) store(transposed_ + (d + j) * (kv_block / 2) + i, block[j]);
      }
    }
  }

  void score(PanelState &s, int panel, int panels, int count) {
    const int dim = s.item.head_dim_qk, steps = dim / 2;
    const float *q = s.q + panel * steps * lanes;
    for (int t = 0; t < count; t += 2 * tile_rows) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
      for (int i = 0; i < steps; i += tile_pairs) {
        const uint16_t *key = keys_ + t * dim + 2 * i;
        _tile_loadd(4, key, dim * 2);
        _tile_loadd(5, key + tile_rows * dim, dim * 2);
        _tile_loadd(6, q + i * lanes, row_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
        if (panels == 2) {
          _tile_loadd(7, q + (steps + i) * lanes, row_bytes);
          _tile_dpbf16ps(2, 4, 7);
          _tile_dpbf16ps(3, 5, 7);
        }
      }
      float *scores = s.scores + (panel * kv_block + t) * lanes, *second = scores + kv_block * lanes;
      _tile_stored(0, scores, row_bytes);
      _tile_stored(1, scores + tile_rows * lanes, row_bytes);
      if (panels == 2) {
        _tile_stored(2, second, row_bytes);
        _tile_stored(3, second + tile_rows * lanes, row_bytes);
      }
    }
  }

  void add_values(PanelState &s, int panel, int panels, int count) {
    const int dim = s.item.head_dim_vo;
    for (int p = panel; p < panel + panels; p++) keep_panel(s, p);
    const float *weights = s.weights + panel * weight_steps * lanes;
    for (int d = 0; d < dim; d += 2 * tile_rows) {
      float *out = s.out + (panel * dim + d) * lanes, *second = out + dim * lanes;
      _tile_loadd(0, out, row_bytes);
      _tile_loadd(1, out + tile_rows * lanes, row_bytes);
      if (panels == 2) {
        _tile_loadd(2, second, row_bytes);
        _tile_loadd(3, second + tile_rows * lanes, row_bytes);
      }
      for (int i = 0; i < count / 2; i += tile_pairs) {
        const uint32_t *values = transposed_ + d * (kv_block / 2) + i;
        _tile_loadd(4, values, kv_block / 2 * 4);
        _tile_loadd(5, values + tile_rows * (kv_block / 2), kv_block / 2 * 4);
        _tile_loadd(6, weights + i * lanes, row_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
        if (panels == 2) {
          _tile_loadd(7, weights + (weight_steps + i) * lanes, row_bytes);
          _tile_dpbf16ps(2, 4, 7);
          _tile_dpbf16ps(3, 5, 7);
        }
      }
      _tile_stored(0, out, row_bytes);
      _tile_stored(1, out + tile_rows * lanes, row_bytes);
      if (panels == 2) {
        _tile_stored(2, second, row_bytes);
        _tile_stored(3, second + tile_rows * lanes, row_bytes);
      }
    }
  }

 private:
  // The keys where they lie if they lie side by side, else a copy: tiles take rows at equal distances, and rows a power of two apart, as those of one head
  // often are, would drive each other out of the cache before the next rows of queries need them.
  void find_keys(PanelState &s, int dim) {
    const uint16_t *const *rows = reinterpret_cast<const uint16_t *const *>(s.key_rows);
    keys_ = rows[0];
    bool is_dense = true;
    for (int t = 1; t < kv_block; t++) is_dense &= rows[t] == keys_ + t * dim;
    if (is_dense) return;
    uint16_t *copy = reinterpret_cast<uint16_t *>(s.keys);
    for (int t = 0; t < kv_block; t++) {
      for (int i = 0; i < dim; i += 32) store(copy + t * dim + i, load<__m512i>(rows[t] + i));
    }
    keys_ = copy;
  }

  static void keep_panel(PanelState &s, int panel) {
    const Floats keep = load<Floats>(s.keep + panel * lanes);
    if (_mm512_cmpneq_ps_mask(keep, all(1.0f)) == 0) return;
    float *out = s.out + panel * s.item.head_dim_vo * lanes;
    for (int d = 0; d < s.item.head_dim_vo; d++) store(out + d * lanes, load<Floats>(out + d * lanes) * keep);
  }

  const uint16_t *keys_ = nullptr;  // [kv_block][dqk]
  uint32_t *transposed_ = nullptr;
};

}  // namespace
}  // namespace amx_item

void attention_item_amx(const AttentionItem &item) {
  using namespace amx_item;
  if (item.dtype != FP_BF16 || item.num_rows <= few_rows) return attention_item_avx512(item);
  const Tiles tiles;
  if (item.kv_dtype == FP_E4M3) return attend_panels<Fp8Products<TileProducts, 3>>(item);
  if (item.kv_dtype == FP_E5M2) return attend_panels<Fp8Products<TileProducts, 2>>(item);
  attend_panels<TileProducts>(item);
}

}  // namespace fp::cpu

// attention_bf16_avx512.inl: both products on bf16 by vdpbf16ps, which multiplies pairs: of neighbouring elements for the scores, of neighbouring tokens for
// the outputs. Include <immintrin.h>, avx512_blocks.inl, attention_few.inl and attention_panels.inl before.

typedef __m512bh Pairs;

FP_INLINE Pairs broadcast_pair(const void *pair) { return (Pairs)_mm512_set1_epi32(load<int32_t>(pair)); }

struct PairScores {
  using Query = uint16_t;
  static void prepare(const AttentionItem &item, uint16_t *q) {
    for (int r = 0; r < item.num_heads * item.num_rows; r++) __builtin_memcpy(q + r * item.head_dim_qk, item.q_rows[r], static_cast<size_t>(item.head_dim_qk) * 2);
  }
  template <int num_rows>
  static FP_INLINE void score(const uint16_t *q, int dim, const uint16_t *const *keys, int64_t offset, float *scores) {
    Floats sum[num_rows][4] = {};
    for (int i = 0; i < dim; i += 2 * lanes) {
      Pairs key[4];
      for (int j = 0; j < 4; j++) key[j] = load<Pairs>(keys[j] + offset + i);
      for (int r = 0; r < num_rows; r++) {
        const Pairs query = load<Pairs>(q + r * dim + i);
        for (int j = 0; j < 4; j++) sum[r][j] = _mm512_dpbf16_ps(sum[r][j], key[j], query);
      }
    }
    for (int r = 0; r < num_rows; r++) store(scores + r * few_block, sums_of(sum[r][0], sum[r][1], sum[r][2], sum[r][3]));
  }
};

// Values of tokens 2i and 2i + 1 side by side: [kv_block / 2][dim] pairs, zeros from `count` on.
inline void pair_values(const PanelState &s, int count, uint32_t *pairs) {
  const int dim = s.item.head_dim_vo;
  alignas(64) static constexpr uint16_t low[32] = {0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  alignas(64) static constexpr uint16_t high[32] = {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
  const __m512i low_order = _mm512_load_si512(low), high_order = _mm512_load_si512(high);
  for (int t = 0; t < kv_block; t += 2) {
    const uint16_t *even = static_cast<const uint16_t *>(s.value_rows[t]), *odd = static_cast<const uint16_t *>(s.value_rows[t + 1]);
    for (int d = 0; d < dim; d += 32) {
      const __m512i a = t < count ? load<__m512i>(even + d) : _mm512_setzero_si512(), b = t + 1 < count ? load<__m512i>(odd + d) : _mm512_setzero_si512();
      store(pairs + t / 2 * dim + d, _mm512_permutex2var_epi16(a, low_order, b));
      store(pairs + t / 2 * dim + d + 16, _mm512_permutex2var_epi16(a, high_order, b));
    }
  }
}

inline bool has_non_finite_pair(const PanelState &s, int count) {
  __mmask32 found = 0;
  const __m512i exponent = _mm512_set1_epi16(0x7f80);
  const uint16_t *values = reinterpret_cast<const uint16_t *>(s.values);
  for (int i = 0; i < (count + 1) / 2 * 2 * s.item.head_dim_vo; i += 32) found |= _mm512_cmpeq_epi16_mask(_mm512_and_si512(load<__m512i>(values + i), exponent), exponent);
  return found != 0;
}

inline void pack_queries(PanelState &s) {
  for (int panel = 0; panel < s.num_panels; panel++) {
    const int left = s.item.num_rows - panel * lanes;
    pack_pairs([&](int i) { return static_cast<const uint16_t *>(s.item.q_rows[panel * lanes + i]); }, left < lanes ? left : lanes, s.item.head_dim_qk,
               reinterpret_cast<uint32_t *>(s.q) + panel * (s.item.head_dim_qk / 2) * lanes);
  }
}

struct PairProducts {
  using Storage = uint16_t;
  static constexpr int token_unit = 8;
  static constexpr int panels_at_once = 4;
  static constexpr int weight_steps = kv_block / 2;

  explicit PairProducts(PanelState &s) { pack_queries(s); }

  void load_block(PanelState &s, int count) { pair_values(s, count, reinterpret_cast<uint32_t *>(s.values)); }
  bool has_non_finite_value(const PanelState &s, int count) { return has_non_finite_pair(s, count); }

  template <int num_panels>
  static FP_INLINE void score_of(PanelState &s, int panel, int count) {
    constexpr int outputs = outputs_beside(num_panels);
    const int steps = s.item.head_dim_qk / 2;
    const float *q = s.q + panel * steps * lanes;
    for (int t = 0; t < count; t += outputs) {
      const uint16_t *keys[outputs];
      for (int n = 0; n < outputs; n++) keys[n] = static_cast<const uint16_t *>(s.key_rows[t + n]);
      Floats sum[outputs][num_panels] = {};
      for (int i = 0; i < steps; i++) {
        Pairs query[num_panels];
        for (int p = 0; p < num_panels; p++) query[p] = load<Pairs>(q + (p * steps + i) * lanes);
        for (int n = 0; n < outputs; n++) {
          const Pairs key = broadcast_pair(keys[n] + 2 * i);
          for (int p = 0; p < num_panels; p++) sum[n][p] = _mm512_dpbf16_ps(sum[n][p], query[p], key);
        }
      }
      for (int n = 0; n < outputs; n++) {
        for (int p = 0; p < num_panels; p++) store(s.scores + ((panel + p) * kv_block + t + n) * lanes, sum[n][p]);
      }
    }
  }

  template <int num_panels>
  static FP_INLINE void add_values_of(PanelState &s, int panel, int count) {
    constexpr int outputs = outputs_beside(num_panels);
    const int dim = s.item.head_dim_vo, steps = count / 2;
    const float *weights = s.weights + panel * weight_steps * lanes;
    for (int d = 0; d < dim; d += outputs) {
      Floats sum[outputs][num_panels];
      for (int p = 0; p < num_panels; p++) {
        const Floats keep = load<Floats>(s.keep + (panel + p) * lanes);
        for (int n = 0; n < outputs; n++) sum[n][p] = load<Floats>(s.out + ((panel + p) * dim + d + n) * lanes) * keep;
      }
      for (int i = 0; i < steps; i++) {
        Pairs weight[num_panels];
        for (int p = 0; p < num_panels; p++) weight[p] = load<Pairs>(weights + (p * weight_steps + i) * lanes);
        for (int n = 0; n < outputs; n++) {
          const Pairs value = broadcast_pair(s.values + i * dim + d + n);
          for (int p = 0; p < num_panels; p++) sum[n][p] = _mm512_dpbf16_ps(sum[n][p], weight[p], value);
        }
      }
      for (int p = 0; p < num_panels; p++) {
        for (int n = 0; n < outputs; n++) store(s.out + ((panel + p) * dim + d + n) * lanes, sum[n][p]);
      }
    }
  }

  void score(PanelState &s, int panel, int panels, int count) {
    switch (panels) {
      case 1: return score_of<1>(s, panel, count);
      case 2: return score_of<2>(s, panel, count);
      case 3: return score_of<3>(s, panel, count);
      default: return score_of<4>(s, panel, count);
    }
  }

  static FP_INLINE void put_weights(float *weights, int t, Floats a, Floats b) { store(weights + t / 2 * lanes, bf16_pairs(a, b)); }
  static FP_INLINE Floats weight_at(const float *weights, int t) {
    const Words pairs = load<Words>(weights + t / 2 * lanes);
    return t % 2 == 0 ? (Floats)(pairs << 16) : (Floats)(pairs & 0xffff0000u);
  }
  static FP_INLINE float value_at(const PanelState &s, int t, int d) {
    const uint32_t bits = static_cast<uint32_t>(reinterpret_cast<const uint16_t *>(s.values)[(t / 2 * s.item.head_dim_vo + d) * 2 + t % 2]) << 16;
    return load<float>(&bits);
  }

  void add_values(PanelState &s, int panel, int panels, int count) {
    switch (panels) {
      case 1: return add_values_of<1>(s, panel, count);
      case 2: return add_values_of<2>(s, panel, count);
      case 3: return add_values_of<3>(s, panel, count);
      default: return add_values_of<4>(s, panel, count);
    }
  }
};

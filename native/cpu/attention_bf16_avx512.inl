// attention_bf16_avx512.inl: both products on bf16 by vdpbf16ps, which multiplies pairs: of neighbouring elements for the scores, of neighbouring tokens for
// the outputs. Include <immintrin.h>, avx512_blocks.inl, attention_few.inl and attention_panels.inl before.

typedef __m512bh Pairs;

FP_INLINE Pairs broadcast_pair(const void *pair) { return (Pairs)_mm512_set1_epi32(load<int32_t>(pair)); }

// Of tokens 2i and 2i + 1, and of 32 elements: elements 0 to 15 side by side, and 16 to 31.
struct ValuePairs {
  __m512i low_order, high_order;

  FP_INLINE ValuePairs() {
    alignas(64) static constexpr uint16_t low[32] = {0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    alignas(64) static constexpr uint16_t high[32] = {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
    low_order = _mm512_load_si512(low);
    high_order = _mm512_load_si512(high);
  }
  FP_INLINE __m512i low(__m512i even, __m512i odd) const { return _mm512_permutex2var_epi16(even, low_order, odd); }
  FP_INLINE __m512i high(__m512i even, __m512i odd) const { return _mm512_permutex2var_epi16(even, high_order, odd); }
};

// Lane i: the sum of v[i].
FP_INLINE Floats sums_of_16(const Floats (&v)[16]) {
  __m512 r[16];
  for (int i = 0; i < 16; i++) r[i] = v[i];
  // Halves, quarters, then as sums_of: each step adds what another order of lanes has, of two vectors at once.
  __m512 a[8], b[4], c[2];
  for (int i = 0; i < 8; i++) {
    a[i] = _mm512_add_ps(_mm512_shuffle_f32x4(r[2 * i], r[2 * i + 1], 0x44), _mm512_shuffle_f32x4(r[2 * i], r[2 * i + 1], 0xee));
  }
  for (int i = 0; i < 4; i++) {
    b[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x88), _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xdd));
  }
  for (int i = 0; i < 2; i++) {
    const __m512d x = _mm512_castps_pd(b[2 * i]), y = _mm512_castps_pd(b[2 * i + 1]);
    c[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  }
  // Lane 4q + 2j + h of c[i] is half h of vector 8i + 4j + q.
  const __m512 sums = _mm512_add_ps(_mm512_shuffle_ps(c[0], c[1], 0x88), _mm512_shuffle_ps(c[0], c[1], 0xdd));
  // Lane 4q + 2i + j is vector 8i + 4j + q.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_ps(order, sums);
}

struct PairFew {
  using Storage = uint16_t;
  using Query = uint16_t;
  using Rows = RowsInPlace<uint16_t>;
  static constexpr float unit = 1;
  static void prepare(const AttentionItem &item, uint16_t *q) {
    for (int r = 0; r < item.num_heads * item.num_rows; r++) __builtin_memcpy(q + r * item.head_dim_qk, item.q_rows[r], static_cast<size_t>(item.head_dim_qk) * 2);
  }
  // A row and all keys of the block at a time, so that its scores come out as one vector.
  static FP_INLINE void score(const AttentionItem &item, const uint16_t *q, const uint16_t *const *keys, int64_t offset, int, float *scores, Ahead &ahead) {
    const int dim = item.head_dim_qk, rows = item.num_rows, lines = (few_block + rows - 1) / rows;
    for (int r = 0; r < rows; r++) {
      Floats sum[few_block] = {};
      for (int i = 0; i < dim; i += 2 * lanes) {
        ahead.call(lines);
        const Pairs query = load<Pairs>(q + r * dim + i);
        for (int t = 0; t < few_block; t++) sum[t] = _mm512_dpbf16_ps(sum[t], load<Pairs>(keys[t] + offset + i), query);
      }
      store(scores + r * few_block, sums_of_16(sum));
    }
  }

  static FP_INLINE void load_value(const uint16_t *p, Floats &a, Floats &b) {
    a = Bf16::load_floats(p);
    b = Bf16::load_floats(p + lanes);
  }
  static FP_INLINE void store_out(const AttentionItem &item, void *row, int d, Floats a, Floats b) {
    if (item.out_dtype == FP_F32) F32::store_pair(static_cast<float *>(row) + d, a, b);
    else store(static_cast<uint16_t *>(row) + d, _mm512_cvtne2ps_pbh(b, a));
  }

  template <int num_rows>
  static void add_values(const uint16_t *const *values, int64_t offset, int count, const float *weights, const float *keep, float *out, int dim, Ahead &ahead) {
    static_assert(few_block == lanes);
    int32_t pairs[num_rows][few_block / 2];
    for (int r = 0; r < num_rows; r++) store(pairs[r], _mm512_cvtneps_pbh(load<Floats>(weights + r * few_block)));
    int d = 0;
    for (; d + 64 <= dim; d += 64) add_part<num_rows, 2>(values, offset, count, d, pairs, keep, out, dim, ahead);
    for (; d < dim; d += 32) add_part<num_rows, 1>(values, offset, count, d, pairs, keep, out, dim, ahead);
  }

 private:
  template <int num_rows, int num_parts>
  static FP_INLINE void add_part(const uint16_t *const *values, int64_t offset, int count, int d, const int32_t (&pairs)[num_rows][few_block / 2], const float *keep, float *out, int dim, Ahead &ahead) {
    const ValuePairs order;
    Floats sum[num_rows][2 * num_parts];
    for (int r = 0; r < num_rows; r++) {
      for (int c = 0; c < 2 * num_parts; c++) sum[r][c] = load<Floats>(out + r * dim + d + c * lanes) * keep[r];
    }
    // An odd last token has its own row again beside it, with weight 0.
    for (int t = 0; t < count; t += 2) {
      ahead.call(2 * num_parts);
      Pairs value[2 * num_parts];
      for (int c = 0; c < num_parts; c++) {
        const __m512i even = load<__m512i>(values[t] + offset + d + 32 * c), odd = load<__m512i>(values[t + 1] + offset + d + 32 * c);
        value[2 * c] = (Pairs)order.low(even, odd);
        value[2 * c + 1] = (Pairs)order.high(even, odd);
      }
      for (int r = 0; r < num_rows; r++) {
        const Pairs weight = (Pairs)_mm512_set1_epi32(pairs[r][t / 2]);
        for (int c = 0; c < 2 * num_parts; c++) sum[r][c] = _mm512_dpbf16_ps(sum[r][c], value[c], weight);
      }
    }
    for (int r = 0; r < num_rows; r++) {
      for (int c = 0; c < 2 * num_parts; c++) store(out + r * dim + d + c * lanes, sum[r][c]);
    }
  }
};

// Values of tokens 2i and 2i + 1 side by side: [kv_block / 2][dim] pairs, zeros from `count` on.
inline void pair_values(const PanelState &s, int count, uint32_t *pairs) {
  const int dim = s.item.head_dim_vo;
  const ValuePairs order;
  for (int t = 0; t < kv_block; t += 2) {
    const uint16_t *even = static_cast<const uint16_t *>(s.value_rows[t]), *odd = static_cast<const uint16_t *>(s.value_rows[t + 1]);
    for (int d = 0; d < dim; d += 32) {
      const __m512i a = t < count ? load<__m512i>(even + d) : _mm512_setzero_si512(), b = t + 1 < count ? load<__m512i>(odd + d) : _mm512_setzero_si512();
      store(pairs + t / 2 * dim + d, order.low(a, b));
      store(pairs + t / 2 * dim + d + 16, order.high(a, b));
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
  static constexpr float unit = 1;
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

// attention_products_f32.inl: both products in f32, from keys and values made floats once a block. Include attention_panels.inl before.

// T: the element type of keys and values.
template <typename T>
struct FloatProducts {
  using Storage = typename T::Storage;
  static constexpr float unit = T::unit;
  static constexpr int token_unit = 8;                     // score() and add_values() take a multiple of so many tokens
  static constexpr int panels_at_once = max_panels;
  static constexpr int weight_steps = kv_block;            // vectors of weights of a panel and block

  // Packs the queries.
  explicit FloatProducts(PanelState &s) {
    s.weights = s.scores;
    for_dtype(s.item.dtype, [&](auto type) { pack_queries<decltype(type)>(s); });
  }

  template <typename Of>
  static void pack_queries(PanelState &s) {
    const int dim = s.item.head_dim_qk;
    for (int panel = 0; panel < s.num_panels; panel++) {
      for (int i = 0; i < dim; i += lanes) {
        Floats block[lanes];
        for (int lane = 0; lane < lanes; lane++) {
          const int r = panel * lanes + lane;
          block[lane] = r < s.item.num_rows ? Of::load_floats(static_cast<const typename Of::Storage *>(s.item.q_rows[r]) + i) : Floats{};
        }
        transpose(block);
        for (int j = 0; j < lanes; j++) store(s.q + (panel * dim + i + j) * lanes, block[j]);
      }
    }
  }

  // Keys [kv_block][dqk], those from `count` on any; values [kv_block][dvo], zeros from `count` on.
  void load_block(PanelState &s, int count) {
    const int dqk = s.item.head_dim_qk, dvo = s.item.head_dim_vo;
    for (int t = 0; t < kv_block; t++) {
      const Storage *key = static_cast<const Storage *>(s.key_rows[t]), *value = static_cast<const Storage *>(s.value_rows[t]);
      for (int i = 0; i < dqk; i += lanes) store(s.keys + t * dqk + i, T::load_floats(key + i));
      for (int i = 0; i < dvo; i += lanes) store(s.values + t * dvo + i, t < count ? T::load_floats(value + i) : Floats{});
    }
  }

  bool has_non_finite_value(const PanelState &s, int count) {
    Words found = {};
    for (int i = 0; i < count * s.item.head_dim_vo; i += lanes) found |= (Words)((load<Words>(s.values + i) & 0x7f800000u) == 0x7f800000u);
    uint32_t any = 0;
    for (int i = 0; i < lanes; i++) any |= found[i];
    return any != 0;
  }

  template <int num_panels>
  static FP_INLINE void score_of(PanelState &s, int panel, int count) {
    constexpr int outputs = outputs_beside(num_panels);
    const int dim = s.item.head_dim_qk;
    for (int t = 0; t < count; t += outputs) {
      Floats sum[outputs][num_panels] = {};
      panel_product<num_panels, outputs>(s.q + panel * dim * lanes, dim * lanes, s.keys + t * dim, dim, 1, dim, sum);
      for (int n = 0; n < outputs; n++) {
        for (int p = 0; p < num_panels; p++) store(s.scores + ((panel + p) * kv_block + t + n) * lanes, sum[n][p]);
      }
    }
  }

  template <int num_panels>
  static FP_INLINE void add_values_of(PanelState &s, int panel, int count) {
    constexpr int outputs = outputs_beside(num_panels);
    const int dim = s.item.head_dim_vo;
    for (int d = 0; d < dim; d += outputs) {
      Floats sum[outputs][num_panels];
      for (int p = 0; p < num_panels; p++) {
        const Floats keep = load<Floats>(s.keep + (panel + p) * lanes);
        for (int n = 0; n < outputs; n++) sum[n][p] = load<Floats>(s.out + ((panel + p) * dim + d + n) * lanes) * keep;
      }
      panel_product<num_panels, outputs>(s.weights + panel * kv_block * lanes, kv_block * lanes, s.values + d, 1, dim, count, sum);
      for (int p = 0; p < num_panels; p++) {
        for (int n = 0; n < outputs; n++) store(s.out + ((panel + p) * dim + d + n) * lanes, sum[n][p]);
      }
    }
  }

  // scores[t][row] = key t . query, for `count` tokens.
  void score(PanelState &s, int panel, int panels, int count) {
    switch (panels) {
      case 1: return score_of<1>(s, panel, count);
      case 2: return score_of<2>(s, panel, count);
      case 3: return score_of<max_panels < 3 ? 2 : 3>(s, panel, count);
      default: return score_of<max_panels>(s, panel, count);
    }
  }

  static FP_INLINE void put_weights(float *weights, int t, Floats a, Floats b) {
    store(weights + t * lanes, a);
    store(weights + (t + 1) * lanes, b);
  }
  static FP_INLINE Floats weight_at(const float *weights, int t) { return load<Floats>(weights + t * lanes); }
  static FP_INLINE float value_at(const PanelState &s, int t, int d) { return s.values[t * s.item.head_dim_vo + d]; }

  // out = keep * out + weights . values, for `count` tokens.
  void add_values(PanelState &s, int panel, int panels, int count) {
    switch (panels) {
      case 1: return add_values_of<1>(s, panel, count);
      case 2: return add_values_of<2>(s, panel, count);
      case 3: return add_values_of<max_panels < 3 ? 2 : 3>(s, panel, count);
      default: return add_values_of<max_panels>(s, panel, count);
    }
  }
};

// The whole item in f32 arithmetic.
inline void attend(const AttentionItem &item) {
  for_kv_dtype(item.kv_dtype, [&](auto type) {
    using T = decltype(type);
    if constexpr (FloatFew<T>::is_fp8) {
      if (item.num_rows > rows_at_once && item.num_rows <= few_rows) return attend_few<FloatFewOnce<T>>(item);
    }
    if (item.num_rows <= few_rows) attend_few<FloatFew<T>>(item);
    else attend_panels<FloatProducts<T>>(item);
  });
}

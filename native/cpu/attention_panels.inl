// attention_panels.inl: attention of many query rows, as in prefill: bound by arithmetic. The lanes of a vector are query rows, in panels of as many as a
// vector has, so that the softmax of a row never crosses lanes, K and V are broadcast as they lie, and only the queries are transposed, once. Online softmax
// over blocks of KV (FlashAttention-2, algorithm 1). Include attention_kv.inl, panel_product.inl and, with 16 lanes, avx512_blocks.inl before.
//
// Products is how the two matrix products are made; attention_products_f32.inl says what it must have.

// r[i] lane j -> r[j] lane i.
FP_INLINE void transpose(Floats (&r)[lanes]) {
#if FP_LANES == 16
  transpose16(r);
#else
  float from[lanes][lanes], to[lanes][lanes];
  for (int i = 0; i < lanes; i++) store(from[i], r[i]);
  for (int i = 0; i < lanes; i++) {
    for (int j = 0; j < lanes; j++) to[j][i] = from[i][j];
  }
  for (int i = 0; i < lanes; i++) r[i] = load<Floats>(to[i]);
#endif
}

// An item under way. Arrays over panels have one panel after another.
struct PanelState {
  const AttentionItem &item;
  int num_panels;
  float *q;        // [panel][steps of dqk][lanes]
  float *out;      // [panel][dvo][lanes]
  float *scores;   // [panel][kv_block][lanes]
  float *weights;  // [panel][steps of kv_block][lanes]; may be scores
  float *keys, *values;  // of the block, in the form that the products want
  float *maxima, *sums, *keep;  // [panel][lanes]
  int32_t *first, *last;        // [panel][lanes]: what a row sees
  int32_t *hidden;              // [kv_block][lanes]: a custom mask of one panel, -1 where hidden
  const void *key_rows[kv_block], *value_rows[kv_block];

  explicit PanelState(const AttentionItem &of) : item(of), num_panels((of.num_rows + lanes - 1) / lanes) {
    float *at = item.scratch;
    const auto take = [&](size_t count) {
      float *taken = at;
      at += (count + 15) / 16 * 16;
      return taken;
    };
    const size_t rows = static_cast<size_t>(num_panels) * lanes;
    q = take(rows * item.head_dim_qk);
    out = take(rows * item.head_dim_vo);
    scores = take(rows * kv_block);
    weights = take(rows * kv_block);
    keys = take(size_t{kv_block} * item.head_dim_qk);
    values = take(size_t{kv_block} * item.head_dim_vo * 2);
    maxima = take(rows);
    sums = take(rows);
    keep = take(rows);
    first = reinterpret_cast<int32_t *>(take(rows));
    last = reinterpret_cast<int32_t *>(take(rows));
    hidden = reinterpret_cast<int32_t *>(take(size_t{kv_block} * lanes));
    for (int r = 0; r < num_panels * lanes; r++) {
      maxima[r] = minus_infinity;
      sums[r] = 0;
      // Lanes without a row see what the last row sees, so that they don't keep a block from being skipped.
      bounds_of(item, (r < item.num_rows ? r : item.num_rows - 1) / item.group, first[r], last[r]);
    }
    __builtin_memset(out, 0, rows * item.head_dim_vo * sizeof(float));
  }
};

// What some panels see of a block.
struct Sight {
  int limit;       // tokens from here on are hidden from all
  bool is_partial;  // some before it are hidden from some
};

inline Sight sight_of(const PanelState &s, int panel, int num_panels, int begin, int count) {
  int32_t least_first = INT32_MAX, most_first = 0, least_last = INT32_MAX, most_last = -1;
  for (int r = panel * lanes; r < (panel + num_panels) * lanes; r++) {
    least_first = s.first[r] < least_first ? s.first[r] : least_first;
    most_first = s.first[r] > most_first ? s.first[r] : most_first;
    least_last = s.last[r] < least_last ? s.last[r] : least_last;
    most_last = s.last[r] > most_last ? s.last[r] : most_last;
  }
  if (most_last < begin || least_first >= begin + count) return {0, true};
  const int limit = most_last - begin < count - 1 ? most_last - begin + 1 : count;
  return {limit, s.item.mask != nullptr || most_first > begin || least_last < begin + limit - 1};
}

inline void spread_mask(PanelState &s, int panel, int begin, int limit) {
  int token = -1;
  uint64_t bits = 0;
  for (int lane = 0; lane < lanes; lane++) {
    const int r = panel * lanes + lane, of = (r < s.item.num_rows ? r : s.item.num_rows - 1) / s.item.group;
    if (of != token) bits = mask_bits(s.item, of, begin, limit);
    token = of;
    for (int t = 0; t < limit; t++) s.hidden[t * lanes + lane] = static_cast<int32_t>(bits >> t & 1) - 1;
  }
}

// Scales a panel's scores in place, hides what its rows don't see, and gives their maxima.
FP_INLINE Floats mask_panel(PanelState &s, int panel, int begin, int limit, int padded_limit, const ScoreScale &scale) {
  float *scores = s.scores + panel * kv_block * lanes;
  const Ints first = load<Ints>(s.first + panel * lanes), last = load<Ints>(s.last + panel * lanes);
  Floats highest = load<Floats>(s.maxima + panel * lanes);
  const bool has_bits = s.item.mask != nullptr;
  if (has_bits) spread_mask(s, panel, begin, limit);
  for (int t = 0; t < limit; t++) {
    const Ints token = all_ints(begin + t);
    Ints hidden = (token < first) | (token > last);
    if (has_bits) hidden |= load<Ints>(s.hidden + t * lanes);
    const Floats score = hidden ? all(minus_infinity) : scaled(load<Floats>(scores + t * lanes), scale);
    store(scores + t * lanes, score);
    highest = larger(score, highest);
  }
  for (int t = limit; t < padded_limit; t++) store(scores + t * lanes, all(minus_infinity));
  return highest;
}

FP_INLINE Floats highest_of(const float *scores, int count, Floats highest) {
  Floats other = highest;
  for (int t = 0; t < count; t += 4) {
    highest = larger(load<Floats>(scores + t * lanes), highest);
    other = larger(load<Floats>(scores + (t + 1) * lanes), other);
    highest = larger(load<Floats>(scores + (t + 2) * lanes), highest);
    other = larger(load<Floats>(scores + (t + 3) * lanes), other);
  }
  return larger(highest, other);
}

// A panel's scores to weights: `count` tokens, a multiple of 4.
template <typename Products>
FP_INLINE void soften_panel(PanelState &s, int panel, int begin, const Sight &sight, int count, const ScoreScale &scale) {
  float *scores = s.scores + panel * kv_block * lanes, *weights = s.weights + panel * Products::weight_steps * lanes;
  const Floats before = load<Floats>(s.maxima + panel * lanes);
  Floats highest, factor = all(1.0f);
  if (sight.is_partial || count != sight.limit) {
    highest = mask_panel(s, panel, begin, sight.limit, count, scale);
  } else if (scale.soft_cap > 0) {
    for (int t = 0; t < count; t++) store(scores + t * lanes, scaled(load<Floats>(scores + t * lanes), scale));
    highest = highest_of(scores, count, before);
  } else {
    // The factor is positive, so it need not be applied to find the maximum.
    highest = larger(highest_of(scores, count, all(minus_infinity)) * scale.factor, before);
    factor = all(scale.factor);
  }
  // Rows that have seen nothing yet: any finite number keeps NaN out.
  const Floats maximum = highest == all(minus_infinity) ? Floats{} : highest;
  Floats total = {}, other = {};
  for (int t = 0; t < count; t += 2) {
    const Floats a = exp2_of(load<Floats>(scores + t * lanes) * factor - maximum), b = exp2_of(load<Floats>(scores + (t + 1) * lanes) * factor - maximum);
    total += a;
    other += b;
    Products::put_weights(weights, t, a, b);
  }
  const Floats keep = exp2_of(before - maximum);
  store(s.keep + panel * lanes, keep);
  store(s.sums + panel * lanes, load<Floats>(s.sums + panel * lanes) * keep + total + other);
  store(s.maxima + panel * lanes, highest);
}

// Weights times values one by one, those of weight 0 left out: what is hidden may be NaN.
template <typename Products>
inline void add_seen(PanelState &s, int panel, int count) {
  const float *weights = s.weights + panel * Products::weight_steps * lanes;
  const int dim = s.item.head_dim_vo;
  float *out = s.out + panel * dim * lanes;
  for (int d = 0; d < dim; d++) {
    Floats sum = load<Floats>(out + d * lanes) * load<Floats>(s.keep + panel * lanes);
    for (int t = 0; t < count; t++) {
      const Floats weight = Products::weight_at(weights, t);
      sum = weight == Floats{} ? sum : sum + weight * Products::value_at(s, t, d);
    }
    store(out + d * lanes, sum);
  }
}

// `of_values`: what values are multiplied by.
inline void store_panel(const PanelState &s, int panel, float of_values) {
  const AttentionItem &item = s.item;
  const int dim = item.head_dim_vo;
  const Floats sums = load<Floats>(s.sums + panel * lanes);
  const Floats scale = sums > 0.0f ? of_values / sums : Floats{};
  const int rows = item.num_rows - panel * lanes < lanes ? item.num_rows - panel * lanes : lanes;
  for (int i = 0; i < rows; i++) item.lse[panel * lanes + i] = lse_of(s.maxima[panel * lanes + i], sums[i]);
  for (int d = 0; d < dim; d += lanes) {
    Floats block[lanes];
    for (int i = 0; i < lanes; i++) block[i] = load<Floats>(s.out + (panel * dim + d + i) * lanes) * scale;
    transpose(block);
    for_dtype(item.out_dtype, [&](auto type) __attribute__((always_inline)) {
      using T = decltype(type);
      for (int i = 0; i < rows; i++) T::store_floats(static_cast<typename T::Storage *>(item.out_rows[panel * lanes + i]) + d, block[i]);
    });
  }
}

template <typename Storage>
FP_INLINE AheadOfPanels rows_ahead(const Storage *const *rows, int count, int dim) {
  const char *const *bytes = reinterpret_cast<const char *const *>(rows);
  return {bytes, bytes + count, 0, dim * static_cast<int>(sizeof(Storage))};
}

template <typename Products>
void attend_panels(const AttentionItem &item) {
  using Storage = typename Products::Storage;
  PanelState s(item);
  Products products(s);
  const ScoreScale scale = score_scale(item, 0, Products::unit);
  constexpr int tokens_at_once = Products::token_unit;
  const Storage *next_keys[kv_block], *next_values[kv_block];
  const auto count_at = [&](int begin) { return item.kv_end - begin < kv_block ? item.kv_end - begin : kv_block; };
  for (int begin = item.kv_begin; begin < item.kv_end; begin += kv_block) {
    const int count = count_at(begin), next = begin + kv_block, next_count = next < item.kv_end ? count_at(next) : 0;
    find_rows(item, begin, count, kv_block, reinterpret_cast<const Storage **>(s.key_rows), reinterpret_cast<const Storage **>(s.value_rows));
    if (next_count > 0) find_rows(item, next, next_count, next_count, next_keys, next_values);
    products.load_block(s, count);
    // The next block is called for between the products on this one, in as many parts.
    AheadOfPanels keys_ahead = rows_ahead(next_keys, next_count, item.head_dim_qk), values_ahead = rows_ahead(next_values, next_count, item.head_dim_vo);
    const int parts = (s.num_panels + Products::panels_at_once - 1) / Products::panels_at_once;
    const int key_lines = keys_ahead.lines_of_part(parts), value_lines = values_ahead.lines_of_part(parts);
    const bool has_nan = item.needs_mask && products.has_non_finite_value(s, count);
    for (int panel = 0; panel < s.num_panels; panel += Products::panels_at_once) {
      const int panels = s.num_panels - panel < Products::panels_at_once ? s.num_panels - panel : Products::panels_at_once;
      const Sight sight = item.needs_mask ? sight_of(s, panel, panels, begin, count) : Sight{count, false};
      if (sight.limit == 0) continue;
      const int padded_limit = (sight.limit + tokens_at_once - 1) / tokens_at_once * tokens_at_once;
      products.score(s, panel, panels, padded_limit);
      keys_ahead.call(key_lines);
      for (int i = 0; i < panels; i++) soften_panel<Products>(s, panel + i, begin, sight, padded_limit, scale);
      if (has_nan && sight.is_partial) {
        for (int i = 0; i < panels; i++) add_seen<Products>(s, panel + i, sight.limit);
      } else {
        products.add_values(s, panel, panels, padded_limit);
      }
      values_ahead.call(value_lines);
    }
  }
  for (int panel = 0; panel < s.num_panels; panel++) store_panel(s, panel, item.v_scales[0] * Products::unit);
}

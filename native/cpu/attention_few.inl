// attention_few.inl: attention of up to 8 query rows a KV head, as in decoding: bound by the reading of K and V. They are read where they lie, all heads of a block
// before the next block, while the next block is called for in the order of its addresses: memory is fastest so. Online softmax over blocks of KV
// (FlashAttention-2, algorithm 1). Include attention_kv.inl before.
//
// Products is how the two products are made; FloatFew says what it must have.

constexpr int few_block = 16;  // KV tokens: with all heads, and twice, they stay in the second-level cache
constexpr int rows_at_once = 4;

#if FP_LANES == 16 || defined(__aarch64__)
constexpr int keys_at_once = 4, pairs_at_once = 2;  // for 32 registers
#else
constexpr int keys_at_once = 2, pairs_at_once = 1;
#endif

// Part `head` of the rows of a block. Heads side by side in a row of memory: that many tokens, all heads of them. Else: all tokens of the head.
template <typename Storage>
FP_INLINE Ahead part_of(const Storage *const *rows, int count, int64_t head_stride, int dim, int head, int num_heads) {
  const char *const *bytes = reinterpret_cast<const char *const *>(rows);
  constexpr int size = sizeof(Storage);
  if (head_stride == dim) return {bytes + count * head / num_heads, bytes + count * (head + 1) / num_heads, 0, dim * num_heads * size};
  return {bytes, bytes + count, head_stride * head * size, dim * size};
}

// Rows of a block, which begin at element `offset`, where they lie in memory.
template <typename Storage>
struct RowsInPlace {
  const Storage *const *rows;
  int64_t offset;

  FP_INLINE RowsInPlace(const Storage *const *of, int64_t at, int, int, Ahead &) : rows(of), offset(at) {}
};

// T: the element type of keys and values.
template <typename T>
struct FloatFew {
  using Storage = typename T::Storage;
  using Query = float;
  using Rows = RowsInPlace<Storage>;  // of keys and of values, as score() and add_values() take them: made of a block's rows and their number, once a head
  static constexpr bool is_fp8 = sizeof(Storage) == 1;
  static constexpr float unit = T::unit;
  // Brings the queries of all heads and rows into the form that score() wants.
  static void prepare(const AttentionItem &item, float *q) {
    if constexpr (is_fp8) {
      return for_dtype(item.dtype, [&](auto type) {
        using Of = decltype(type);
        for (int r = 0; r < item.num_heads * item.num_rows; r++) {
          const auto *row = static_cast<const typename Of::Storage *>(item.q_rows[r]);
          for (int i = 0; i < item.head_dim_qk; i += lanes) store(q + r * item.head_dim_qk + i, Of::load_floats(row + i));
        }
      });
    }
    for (int r = 0; r < item.num_heads * item.num_rows; r++) {
      for (int i = 0; i < item.head_dim_qk; i += 2 * lanes) {
        Floats a, b;
        T::load_pair(static_cast<const Storage *>(item.q_rows[r]) + i, a, b);
        store(q + r * item.head_dim_qk + i, a);
        store(q + r * item.head_dim_qk + i + lanes, b);
      }
    }
  }
  // scores[r * few_block + t] for all rows r of a head, and tokens t < count, and some after them. Calls for lines ahead as it reads.
  static FP_INLINE void score(const AttentionItem &item, const float *q, const Storage *const *keys, int64_t offset, int count, float *scores, Ahead &ahead) {
    const int dim = item.head_dim_qk, lines = dim * static_cast<int>(sizeof(Storage)) * 4 / 64;
    for (int t = 0; t < count; t += 4) {
      ahead.call(lines);
      for (int r = 0; r < item.num_rows; r += rows_at_once) {
        const float *row = q + r * dim;
        float *target = scores + r * few_block + t;
        switch (item.num_rows - r) {
          case 1: score_keys<1>(row, dim, keys + t, offset, target); break;
          case 2: score_keys<2>(row, dim, keys + t, offset, target); break;
          case 3: score_keys<3>(row, dim, keys + t, offset, target); break;
          default: score_keys<4>(row, dim, keys + t, offset, target);
        }
      }
    }
  }

  // Elements of a value and of an output, in the order in which outputs are kept.
  static FP_INLINE void load_value(const Storage *p, Floats &a, Floats &b) { T::load_pair(p, a, b); }
  static FP_INLINE void store_out(const AttentionItem &item, void *row, int d, Floats a, Floats b) {
    if constexpr (is_fp8) {
      return for_dtype(item.out_dtype, [&](auto type) __attribute__((always_inline)) {
        using Of = decltype(type);
        Of::store_floats(static_cast<typename Of::Storage *>(row) + d, a);
        Of::store_floats(static_cast<typename Of::Storage *>(row) + d + lanes, b);
      });
    } else if (item.out_dtype != FP_F32) return T::store_pair(static_cast<Storage *>(row) + d, a, b);
    float *target = static_cast<float *>(row) + d;
    if constexpr (!__is_same(T, Bf16)) return F32::store_pair(target, a, b);
    for (int i = 0; i < lanes; i++) {
      target[2 * i] = a[i];
      target[2 * i + 1] = b[i];
    }
  }

  // out[r] = keep[r] * out[r] + sum over t of weights[r * few_block + t] * value t. Weights of tokens from `count` on are zeros. Calls for lines ahead as it reads.
  template <int num_rows>
  static void add_values(const Storage *const *values, int64_t offset, int count, const float *weights, const float *keep, float *out, int dim, Ahead &ahead) {
    constexpr int step = 2 * pairs_at_once * lanes;
    int d = 0;
    for (; d + step <= dim; d += step) add_part<num_rows, pairs_at_once>(values, offset, count, d, weights, keep, out, dim, ahead);
    for (; d < dim; d += 2 * lanes) add_part<num_rows, 1>(values, offset, count, d, weights, keep, out, dim, ahead);
  }

 private:
  // Of 4 keys, which begin at element `offset` of their rows.
  template <int num_rows>
  static FP_INLINE void score_keys(const float *q, int dim, const Storage *const *keys, int64_t offset, float *scores) {
    for (int t = 0; t < 4; t += keys_at_once) {
      Floats sum[num_rows][keys_at_once] = {};
      for (int i = 0; i < dim; i += 2 * lanes) {
        Floats a[keys_at_once], b[keys_at_once];
        for (int j = 0; j < keys_at_once; j++) T::load_pair(keys[t + j] + offset + i, a[j], b[j]);
        for (int r = 0; r < num_rows; r++) {
          const Floats qa = load<Floats>(q + r * dim + i), qb = load<Floats>(q + r * dim + i + lanes);
          for (int j = 0; j < keys_at_once; j++) sum[r][j] += a[j] * qa;
          for (int j = 0; j < keys_at_once; j++) sum[r][j] += b[j] * qb;
        }
      }
      for (int r = 0; r < num_rows; r++) {
        if constexpr (keys_at_once == 4) store(scores + r * few_block, sums_of(sum[r][0], sum[r][1], sum[r][2], sum[r][3]));
        else for (int j = 0; j < keys_at_once; j++) scores[r * few_block + t + j] = sum_of(sum[r][j]);
      }
    }
  }

  template <int num_rows, int num_pairs>
  static FP_INLINE void add_part(const Storage *const *values, int64_t offset, int count, int d, const float *weights, const float *keep, float *out, int dim, Ahead &ahead) {
    constexpr int bytes = 2 * num_pairs * lanes * static_cast<int>(sizeof(Storage)), lines = bytes < 64 ? 1 : bytes / 64;
    Floats sum[num_rows][2 * num_pairs];
    for (int r = 0; r < num_rows; r++) {
      for (int c = 0; c < 2 * num_pairs; c++) sum[r][c] = load<Floats>(out + r * dim + d + c * lanes) * keep[r];
    }
    for (int t = 0; t < count; t++) {
      ahead.call(lines);
      Floats v[2 * num_pairs];
      for (int c = 0; c < num_pairs; c++) T::load_pair(values[t] + offset + d + 2 * c * lanes, v[2 * c], v[2 * c + 1]);
      for (int r = 0; r < num_rows; r++) {
        const Floats weight = all(weights[r * few_block + t]);
        for (int c = 0; c < 2 * num_pairs; c++) sum[r][c] += weight * v[c];
      }
    }
    for (int r = 0; r < num_rows; r++) {
      for (int c = 0; c < 2 * num_pairs; c++) store(out + r * dim + d + c * lanes, sum[r][c]);
    }
  }
};

// FP8 rows of a block as floats.
template <typename T>
struct RowsAsFloats {
  alignas(64) float elements[few_block * max_head_dim];
  const float *rows[few_block];
  static constexpr int64_t offset = 0;

  FP_INLINE RowsAsFloats(const uint8_t *const *of, int64_t at, int count, int dim, Ahead &ahead) {
    for (int t = 0; t < count; t++) {
      float *row = elements + t * dim;
      rows[t] = row;
      ahead.call((dim + 63) / 64);
      for (int i = 0; i < dim; i += 2 * lanes) {
        Floats a, b;
        T::load_pair(of[t] + at + i, a, b);
        store(row + i, a);
        store(row + i + lanes, b);
      }
    }
  }
};

// FP8 beside more rows than are worked on at once: each element is made a float once.
template <typename T>
struct FloatFewOnce : FloatFew<F32> {
  using Storage = uint8_t;
  using Rows = RowsAsFloats<T>;
  static constexpr float unit = T::unit;

  static void prepare(const AttentionItem &item, float *q) { FloatFew<T>::prepare(item, q); }
  static FP_INLINE void store_out(const AttentionItem &item, void *row, int d, Floats a, Floats b) { FloatFew<T>::store_out(item, row, d, a, b); }
};

// One row, values of weight 0 left out: what is hidden may be NaN.
template <typename Products, typename Storage>
inline void add_seen_values(const Storage *const *values, int64_t offset, int count, const float *weights, float keep, float *out, int dim) {
  for (int d = 0; d < dim; d += 2 * lanes) {
    Floats a = load<Floats>(out + d) * keep, b = load<Floats>(out + d + lanes) * keep;
    for (int t = 0; t < count; t++) {
      if (weights[t] == 0.0f) continue;
      Floats va, vb;
      Products::load_value(values[t] + offset + d, va, vb);
      a += va * weights[t];
      b += vb * weights[t];
    }
    store(out + d, a);
    store(out + d + lanes, b);
  }
}

// Scores of one row to weights, in place, `count` of them and up to few_block zeros. Returns what earlier sums are multiplied by.
FP_INLINE float soften(float *scores, int count, bool is_masked, int32_t first, int32_t last, uint64_t bits, int begin, const ScoreScale &scale, float &maximum, float &sum) {
  constexpr int vectors = few_block / lanes;
  Floats s[vectors];
  Floats highest = all(maximum);
  Ints token = all_ints(begin);
  for (int i = 0; i < lanes; i++) token[i] += i;
  for (int c = 0; c < vectors; c++) {
    s[c] = scaled(load<Floats>(scores + c * lanes), scale);
    if (count < few_block || is_masked) {
      Ints hidden = token >= all_ints(begin + count);
      if (is_masked) hidden |= (token < all_ints(first)) | (token > all_ints(last));
      if (bits != ~uint64_t{0}) {
        for (int i = 0; i < lanes; i++) hidden[i] |= (bits >> (c * lanes + i) & 1) != 0 ? 0 : -1;
      }
      s[c] = hidden ? all(minus_infinity) : s[c];
      token += lanes;
    }
    highest = larger(s[c], highest);
  }
  const float raised = largest_of(highest);
  // Nothing seen yet, or only NaN, which must not get lost: any finite number will do.
  const float shift = raised == minus_infinity ? 0.0f : raised;
  Floats total = {};
  for (int c = 0; c < vectors; c++) {
    const Floats weight = exp2_of(s[c] - shift);
    store(scores + c * lanes, weight);
    total += weight;
  }
  const float keep = maximum == minus_infinity ? 0.0f : exp2_of(all(maximum - shift))[0];
  sum = sum * keep + sum_of(total);
  maximum = raised;
  return keep;
}

template <typename Products>
inline void store_few(const AttentionItem &item, const float *out, const float *maxima, const float *sums) {
  const int dim = item.head_dim_vo;
  for (int r = 0; r < item.num_heads * item.num_rows; r++) {
    const float scale = sums[r] > 0 ? item.v_scales[r / item.num_rows] * Products::unit / sums[r] : 0.0f;
    item.lse[r] = lse_of(maxima[r], sums[r]);
    for (int d = 0; d < dim; d += 2 * lanes) {
      Products::store_out(item, item.out_rows[r], d, load<Floats>(out + r * dim + d) * scale, load<Floats>(out + r * dim + d + lanes) * scale);
    }
  }
}

// What is kept of the rows of all heads, from block to block.
template <typename Query>
struct FewState {
  float *out;  // [heads][rows][dvo], in the order of load_value
  Query *q;    // [heads][rows][dqk], as score() wants it
  float *scores;  // [rows][few_block], of one head at a time
  float maxima[max_tile_rows], sums[max_tile_rows];
  int32_t first[few_rows], last[few_rows];

  explicit FewState(const AttentionItem &item) {
    const int count = item.num_heads * item.num_rows;
    out = item.scratch;
    q = reinterpret_cast<Query *>(out + size_t{max_tile_rows} * max_head_dim);
    scores = out + size_t{max_tile_rows} * 2 * max_head_dim;
    __builtin_memset(out, 0, sizeof(float) * count * item.head_dim_vo);
    for (int r = 0; r < count; r++) {
      maxima[r] = minus_infinity;
      sums[r] = 0;
    }
    for (int r = 0; r < item.num_rows; r++) bounds_of(item, r / item.group, first[r], last[r]);
  }
};

template <typename Products, typename Storage>
FP_INLINE void add_block(const AttentionItem &item, const Storage *const *values, int64_t offset, int count, const float *weights, const float *keep, float *out, Ahead &ahead) {
  const int dim = item.head_dim_vo;
  for (int r = 0; r < item.num_rows; r += rows_at_once) {
    const float *row = weights + r * few_block;
    float *target = out + r * dim;
    switch (item.num_rows - r) {
      case 1: Products::template add_values<1>(values, offset, count, row, keep + r, target, dim, ahead); break;
      case 2: Products::template add_values<2>(values, offset, count, row, keep + r, target, dim, ahead); break;
      case 3: Products::template add_values<3>(values, offset, count, row, keep + r, target, dim, ahead); break;
      default: Products::template add_values<4>(values, offset, count, row, keep + r, target, dim, ahead);
    }
  }
}

template <typename Products>
void attend_few(const AttentionItem &item) {
  using Storage = typename Products::Storage;
  using Rows = typename Products::Rows;
  const int rows = item.num_rows, heads = item.num_heads, dqk = item.head_dim_qk, dvo = item.head_dim_vo;
  FewState<typename Products::Query> s(item);
  Products::prepare(item, s.q);
  ScoreScale scales[max_heads];
  for (int head = 0; head < heads; head++) scales[head] = score_scale(item, head, Products::unit);
  const Storage *keys[2][few_block], *values[2][few_block];  // rows of this block and of the next
  const auto count_at = [&](int begin) { return item.kv_end - begin < few_block ? item.kv_end - begin : few_block; };
  int now = 0;
  if (item.kv_begin < item.kv_end) find_rows(item, item.kv_begin, count_at(item.kv_begin), few_block, keys[0], values[0]);
  for (int begin = item.kv_begin; begin < item.kv_end; begin += few_block, now ^= 1) {
    const int count = count_at(begin), next = begin + few_block, next_count = next < item.kv_end ? count_at(next) : 0;
    if (next_count > 0) find_rows(item, next, next_count, few_block, keys[now ^ 1], values[now ^ 1]);
    bool is_masked = item.mask != nullptr;
    for (int r = 0; r < rows; r++) is_masked |= s.first[r] > begin || s.last[r] < begin + count - 1;
    is_masked &= item.needs_mask != 0;
    for (int head = 0; head < heads; head++) {
      Ahead keys_ahead = part_of(keys[now ^ 1], next_count, item.k_head_stride, dqk, head, heads);
      Ahead values_ahead = part_of(values[now ^ 1], next_count, item.v_head_stride, dvo, head, heads);
      float *out = s.out + head * rows * dvo;
      const Rows of_keys(keys[now], item.k_head_stride * head, few_block, dqk, keys_ahead);
      Products::score(item, s.q + head * rows * dqk, of_keys.rows, of_keys.offset, count, s.scores, keys_ahead);
      float keep[few_rows];
      for (int r = 0; r < rows; r++) {
        const uint64_t bits = is_masked && item.mask != nullptr ? mask_bits(item, r / item.group, begin, count) : ~uint64_t{0};
        keep[r] = soften(s.scores + r * few_block, count, is_masked, s.first[r], s.last[r], bits, begin, scales[head], s.maxima[head * rows + r], s.sums[head * rows + r]);
      }
      const Rows of_values(values[now], item.v_head_stride * head, few_block, dvo, values_ahead);
      if (!is_masked) {
        add_block<Products>(item, of_values.rows, of_values.offset, count, s.scores, keep, out, values_ahead);
        continue;
      }
      for (int r = 0; r < rows; r++) add_seen_values<Products>(of_values.rows, of_values.offset, count, s.scores + r * few_block, keep[r], out + r * dvo, dvo);
    }
  }
  store_few<Products>(item, s.out, s.maxima, s.sums);
}

// attention_few.inl: attention of up to 8 query rows, as in decoding: bound by the reading of K and V, whose rows are read where they lie, once from
// memory, with the next ones called for in time. Online softmax over blocks of KV (FlashAttention-2, algorithm 1). Include attention_kv.inl before.
//
// Scores is how dot products are made: prepare() brings queries into its own form, and score() multiplies 4 keys by 1 to 4 rows.

constexpr int few_rows = 8;
constexpr int rows_at_once = 4;

#if FP_LANES == 16 || defined(__aarch64__)
constexpr int keys_at_once = 4, pairs_at_once = 2;  // for 32 registers
#else
constexpr int keys_at_once = 2, pairs_at_once = 1;
#endif

template <typename T>
struct FloatScores {
  using Storage = typename T::Storage;
  using Query = float;
  static void prepare(const AttentionItem &item, float *q) {
    for (int r = 0; r < item.num_rows; r++) {
      for (int i = 0; i < item.head_dim_qk; i += 2 * lanes) {
        Floats a, b;
        T::load_pair(static_cast<const Storage *>(item.q_rows[r]) + i, a, b);
        store(q + r * item.head_dim_qk + i, a);
        store(q + r * item.head_dim_qk + i + lanes, b);
      }
    }
  }
  // scores[r * kv_block + t] for 4 keys t
  template <int num_rows>
  static FP_INLINE void score(const float *q, int dim, const Storage *const *keys, float *scores) {
    for (int t = 0; t < 4; t += keys_at_once) {
      Floats sum[num_rows][keys_at_once] = {};
      for (int i = 0; i < dim; i += 2 * lanes) {
        Floats a[keys_at_once], b[keys_at_once];
        for (int j = 0; j < keys_at_once; j++) T::load_pair(keys[t + j] + i, a[j], b[j]);
        for (int r = 0; r < num_rows; r++) {
          const Floats qa = load<Floats>(q + r * dim + i), qb = load<Floats>(q + r * dim + i + lanes);
          for (int j = 0; j < keys_at_once; j++) sum[r][j] += a[j] * qa;
          for (int j = 0; j < keys_at_once; j++) sum[r][j] += b[j] * qb;
        }
      }
      for (int r = 0; r < num_rows; r++) {
        if constexpr (keys_at_once == 4) store(scores + r * kv_block, sums_of(sum[r][0], sum[r][1], sum[r][2], sum[r][3]));
        else for (int j = 0; j < keys_at_once; j++) scores[r * kv_block + t + j] = sum_of(sum[r][j]);
      }
    }
  }
};

FP_INLINE void prefetch_row(const void *row, int num_bytes) {
  for (int at = 0; at < num_bytes; at += 64) __builtin_prefetch(static_cast<const char *>(row) + at, 0, 3);
}

// out[r][d] = keep[r] * out[r][d] + sum over t of weights[r][t] * values[t][d], for `num_pairs` pairs of vectors from element d on.
template <typename T, int num_rows, int num_pairs>
FP_INLINE void add_values(const typename T::Storage *const *values, int count, int d, const float *weights, const float *keep, float *out, int dim) {
  Floats sum[num_rows][2 * num_pairs];
  for (int r = 0; r < num_rows; r++) {
    for (int c = 0; c < 2 * num_pairs; c++) sum[r][c] = load<Floats>(out + r * dim + d + c * lanes) * keep[r];
  }
  for (int t = 0; t < count; t++) {
    Floats v[2 * num_pairs];
    for (int c = 0; c < num_pairs; c++) T::load_pair(values[t] + d + 2 * c * lanes, v[2 * c], v[2 * c + 1]);
    for (int r = 0; r < num_rows; r++) {
      const Floats weight = all(weights[r * kv_block + t]);
      for (int c = 0; c < 2 * num_pairs; c++) sum[r][c] += weight * v[c];
    }
  }
  for (int r = 0; r < num_rows; r++) {
    for (int c = 0; c < 2 * num_pairs; c++) store(out + r * dim + d + c * lanes, sum[r][c]);
  }
}

// One row, values of weight 0 left out: what is hidden may be NaN.
template <typename T>
inline void add_seen_values(const typename T::Storage *const *values, int count, const float *weights, float keep, float *out, int dim) {
  for (int d = 0; d < dim; d += 2 * lanes) {
    Floats a = load<Floats>(out + d) * keep, b = load<Floats>(out + d + lanes) * keep;
    for (int t = 0; t < count; t++) {
      if (weights[t] == 0.0f) continue;
      Floats va, vb;
      T::load_pair(values[t] + d, va, vb);
      a += va * weights[t];
      b += vb * weights[t];
    }
    store(out + d, a);
    store(out + d + lanes, b);
  }
}

template <typename T, int num_rows>
FP_INLINE void add_values_of_rows(const typename T::Storage *const *values, int count, const float *weights, const float *keep, float *out, int dim, const typename T::Storage *const *next, int next_count, int next_bytes) {
  constexpr int step = 2 * pairs_at_once * lanes;
  // The next block's keys are called for in equal parts between the steps.
  const int parts = dim / step > 0 ? dim / step : 1, share = (next_count + parts - 1) / parts;
  int d = 0, called = 0;
  for (; d + step <= dim; d += step) {
    for (int end = called + share < next_count ? called + share : next_count; called < end; called++) prefetch_row(next[called], next_bytes);
    add_values<T, num_rows, pairs_at_once>(values, count, d, weights, keep, out, dim);
  }
  for (; d < dim; d += 2 * lanes) add_values<T, num_rows, 1>(values, count, d, weights, keep, out, dim);
}

// Scores of one row to weights, in place, `count` of them and up to kv_block zeros. Returns what earlier sums are multiplied by.
FP_INLINE float soften(float *scores, int count, bool is_masked, int32_t first, int32_t last, uint64_t bits, int begin, const ScoreScale &scale, float &maximum, float &sum) {
  constexpr int vectors = kv_block / lanes;
  Floats s[vectors];
  Floats highest = all(maximum);
  Ints token = all_ints(begin);
  for (int i = 0; i < lanes; i++) token[i] += i;
  for (int c = 0; c < vectors; c++) {
    s[c] = scaled(load<Floats>(scores + c * lanes), scale);
    if (count < kv_block || is_masked) {
      Ints hidden = (token >= all_ints(begin + count)) | (token < all_ints(first)) | (token > all_ints(last));
      if (bits != ~uint64_t{0}) {
        for (int i = 0; i < lanes; i++) hidden[i] |= (bits >> (c * lanes + i) & 1) != 0 ? 0 : -1;
      }
      s[c] = hidden ? all(minus_infinity) : s[c];
      token += lanes;
    }
    highest = larger(s[c], highest);
  }
  const float raised = largest_of(highest);
  if (raised == minus_infinity) {  // nothing seen yet
    for (int c = 0; c < vectors; c++) store(scores + c * lanes, Floats{});
    return 1;
  }
  Floats total = {};
  for (int c = 0; c < vectors; c++) {
    const Floats weight = exp2_of(s[c] - raised);
    store(scores + c * lanes, weight);
    total += weight;
  }
  const float keep = maximum == minus_infinity ? 0.0f : exp2_of(all(maximum - raised))[0];
  sum = sum * keep + sum_of(total);
  maximum = raised;
  return keep;
}

template <typename T>
inline void store_few(const AttentionItem &item, const float *out, const float *maxima, const float *sums) {
  const int dim = item.head_dim_vo;
  for (int r = 0; r < item.num_rows; r++) {
    const float scale = sums[r] > 0 ? 1.0f / sums[r] : 0.0f;
    item.lse[r] = lse_of(maxima[r], sums[r]);
    for (int d = 0; d < dim; d += 2 * lanes) {
      const Floats a = load<Floats>(out + r * dim + d) * scale, b = load<Floats>(out + r * dim + d + lanes) * scale;
      if (item.out_dtype != FP_F32) {
        T::store_pair(static_cast<typename T::Storage *>(item.out_rows[r]) + d, a, b);
        continue;
      }
      float *target = static_cast<float *>(item.out_rows[r]) + d;
      if constexpr (__is_same(T, Bf16)) {
        for (int i = 0; i < lanes; i++) {
          target[2 * i] = a[i];
          target[2 * i + 1] = b[i];
        }
      } else {
        F32::store_pair(target, a, b);
      }
    }
  }
}

template <typename T, typename Scores>
void attend_few(const AttentionItem &item) {
  using Storage = typename T::Storage;
  using Query = typename Scores::Query;
  const int rows = item.num_rows, dqk = item.head_dim_qk, dvo = item.head_dim_vo;
  const int key_bytes = dqk * static_cast<int>(sizeof(Storage)), value_bytes = dvo * static_cast<int>(sizeof(Storage));
  float *out = item.scratch, *scores = out + few_rows * max_head_dim;
  Query *q = reinterpret_cast<Query *>(scores + few_rows * kv_block);
  Scores::prepare(item, q);
  __builtin_memset(out, 0, sizeof(float) * rows * dvo);
  float maxima[few_rows], sums[few_rows], keep[few_rows];
  int32_t first[few_rows], last[few_rows];
  for (int r = 0; r < rows; r++) {
    maxima[r] = minus_infinity;
    sums[r] = 0;
    bounds_of(item, r / item.group, first[r], last[r]);
  }
  const ScoreScale scale = score_scale(item);

  // Rows of this block and of the next.
  const Storage *keys[2][kv_block], *values[2][kv_block];
  const auto count_at = [&](int begin) { return item.kv_end - begin < kv_block ? item.kv_end - begin : kv_block; };
  int now = 0;
  if (item.kv_begin < item.kv_end) find_rows(item, item.kv_begin, count_at(item.kv_begin), kv_block, keys[0], values[0]);
  for (int begin = item.kv_begin; begin < item.kv_end; begin += kv_block, now ^= 1) {
    const int count = count_at(begin), next = begin + kv_block;
    const int next_count = next < item.kv_end ? count_at(next) : 0;
    if (next_count > 0) find_rows(item, next, next_count, kv_block, keys[now ^ 1], values[now ^ 1]);

    for (int t = 0; t < count; t += 4) {
      for (int i = 0; i < 4; i++) prefetch_row(values[now][t + i], value_bytes);
      for (int r = 0; r < rows; r += rows_at_once) {
        const Query *row = q + r * dqk;
        float *target = scores + r * kv_block + t;
        switch (rows - r) {
          case 1: Scores::template score<1>(row, dqk, keys[now] + t, target); break;
          case 2: Scores::template score<2>(row, dqk, keys[now] + t, target); break;
          case 3: Scores::template score<3>(row, dqk, keys[now] + t, target); break;
          default: Scores::template score<4>(row, dqk, keys[now] + t, target);
        }
      }
    }

    bool is_masked = item.mask != nullptr;
    for (int r = 0; r < rows; r++) is_masked |= first[r] > begin || last[r] < begin + count - 1;
    is_masked &= item.needs_mask != 0;
    for (int r = 0; r < rows; r++) {
      const uint64_t bits = is_masked && item.mask != nullptr ? mask_bits(item, r / item.group, begin, count) : ~uint64_t{0};
      keep[r] = is_masked ? soften(scores + r * kv_block, count, true, first[r], last[r], bits, begin, scale, maxima[r], sums[r])
                          : soften(scores + r * kv_block, count, false, 0, INT32_MAX, bits, begin, scale, maxima[r], sums[r]);
    }

    if (is_masked) {
      for (int r = 0; r < rows; r++) add_seen_values<T>(values[now], count, scores + r * kv_block, keep[r], out + r * dvo, dvo);
      continue;
    }
    for (int r = 0; r < rows; r += rows_at_once) {
      const float *weights = scores + r * kv_block;
      float *target = out + r * dvo;
      const int wanted = r == 0 ? next_count : 0;
      switch (rows - r) {
        case 1: add_values_of_rows<T, 1>(values[now], count, weights, keep + r, target, dvo, keys[now ^ 1], wanted, key_bytes); break;
        case 2: add_values_of_rows<T, 2>(values[now], count, weights, keep + r, target, dvo, keys[now ^ 1], wanted, key_bytes); break;
        case 3: add_values_of_rows<T, 3>(values[now], count, weights, keep + r, target, dvo, keys[now ^ 1], wanted, key_bytes); break;
        default: add_values_of_rows<T, 4>(values[now], count, weights, keep + r, target, dvo, keys[now ^ 1], wanted, key_bytes);
      }
    }
  }
  store_few<T>(item, out, maxima, sums);
}

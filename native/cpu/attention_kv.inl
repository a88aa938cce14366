// attention_kv.inl: what both forms of attention ask about an item: where its keys and values lie, and what its rows may see. Include simd.inl before.

constexpr float minus_infinity = -__builtin_inff();

// Scores are kept in units of log2(e): exp(x) = 2^(x * log2_e).
struct ScoreScale {
  float factor;            // of a dot product
  float soft_cap, inverse;  // soft_cap > 0: cap * tanh(dot * inverse) first, then factor
};

// `unit`: as that of the keys' element type.
FP_INLINE ScoreScale score_scale(const AttentionItem &item, int head, float unit) {
  const float of_dot = item.sm_scale * item.k_scales[head] * unit;
  if (item.soft_cap > 0) return {item.soft_cap * log2_e, item.soft_cap, of_dot / item.soft_cap};
  return {of_dot * log2_e, 0, 0};
}

FP_INLINE Floats scaled(Floats dot, const ScoreScale &scale) {
  if (scale.soft_cap > 0) return tanh_of(dot * scale.inverse) * scale.factor;
  return dot * scale.factor;
}

// Addresses of the rows of KV tokens `begin` to `begin + count`, and after them, up to `fill`, of the last one.
template <typename Storage>
inline void find_rows(const AttentionItem &item, int begin, int count, int fill, const Storage **keys, const Storage **values) {
  int page = begin / item.page_size, in_page = begin % item.page_size;
  const Storage *k = static_cast<const Storage *>(item.k), *v = static_cast<const Storage *>(item.v);
  int t = 0;
  while (t < count) {
    const Storage *key = k + item.pages[page] * item.k_page_stride + in_page * item.k_token_stride;
    const Storage *value = v + item.pages[page] * item.v_page_stride + in_page * item.v_token_stride;
    const int left = item.page_size - in_page, end = count - t < left ? count : t + left;
    for (; t < end; t++) {
      keys[t] = key;
      values[t] = value;
      key += item.k_token_stride;
      value += item.v_token_stride;
    }
    page++;
    in_page = 0;
  }
  for (; t < fill; t++) {
    keys[t] = keys[count - 1];
    values[t] = values[count - 1];
  }
}

// Cache lines to call for, one row of memory after another. Called a few at a time between other work: a burst would wait for the memory.
template <int locality>
struct LinesAhead {
  const char *const *row, *const *end;
  int64_t offset;
  int row_bytes, at = 0;

  int lines_of_part(int parts) const { return (static_cast<int>(end - row) * ((row_bytes + 63) / 64) + parts - 1) / parts; }

  FP_INLINE void call(int lines) {
    for (int i = 0; i < lines && row < end; i++) {
      __builtin_prefetch(*row + offset + at, 0, locality);
      at += 64;
      if (at >= row_bytes) {
        at = 0;
        row++;
      }
    }
  }
};

using Ahead = LinesAhead<3>;         // into the first-level cache
using AheadOfPanels = LinesAhead<2>;  // into the second

// First and last KV token of the list that a query token may see by position; last < first if none.
FP_INLINE void bounds_of(const AttentionItem &item, int token, int32_t &first, int32_t &last) {
  const int64_t position = int64_t{item.row_positions[token]} - item.kv_pos_begin;
  int64_t low = 0, high = INT32_MAX;
  if (item.causal) high = position;
  if (item.window_right >= 0 && position + item.window_right < high) high = position + item.window_right;
  if (item.window_left >= 0 && position - item.window_left > low) low = position - item.window_left;
  first = static_cast<int32_t>(low < INT32_MAX ? low : INT32_MAX);
  last = static_cast<int32_t>(high > -1 ? high : -1);
}

// Bit i: the mask lets the query token see KV token `begin + i`, for i < count <= 64.
inline uint64_t mask_bits(const AttentionItem &item, int token, int begin, int count) {
  const int64_t first = (item.mask_row_begin + token) * item.mask_stride_bits + item.kv_pos_begin + begin, end = first + count;
  uint64_t bits = 0;
  for (int64_t byte = first >> 3; byte <= (end - 1) >> 3; byte++) {
    const int64_t shift = byte * 8 - first;
    const uint64_t value = item.mask[byte];
    bits |= shift >= 0 ? value << shift : value >> -shift;
  }
  return bits;
}

FP_INLINE float lse_of(float maximum, float sum) { return sum == 0 ? minus_infinity : maximum * ln_2 + __builtin_logf(sum); }

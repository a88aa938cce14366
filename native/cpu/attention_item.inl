// attention_item.inl: online softmax over blocks of KV (FlashAttention-2, algorithm 1), in C++ that compilers turn into vector code: every inner
// loop runs over contiguous floats without a reduction. Included once by each instruction set's file, inside a namespace of its own.
//
// Define FP_ITEM_NAME before including.

#if defined(__clang__)
#pragma clang fp contract(fast)
#endif

inline float bf16_to_float(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, 4);
  return value;
}

// Exact. The half's exponent and mantissa are put where a float's are and rescaled; a half's infinities and NaN come out as such.
inline float f16_to_float(uint16_t bits) {
  const uint32_t shifted = (bits & 0x7fffu) << 13;
  float magnitude;
  __builtin_memcpy(&magnitude, &shifted, 4);
  magnitude *= 0x1p112f;
  uint32_t out;
  __builtin_memcpy(&out, &magnitude, 4);
  out = (bits & 0x7c00u) == 0x7c00u ? shifted | 0x7f800000u : out;
  out |= (bits & 0x8000u) << 16;
  float value;
  __builtin_memcpy(&value, &out, 4);
  return value;
}

// Elements of a row as floats.
inline void load_row(int dtype, const void *row, int64_t offset, int dim, float *__restrict out) {
  if (dtype == FP_F32) {
    const float *source = static_cast<const float *>(row) + offset;
    for (int i = 0; i < dim; i++) out[i] = source[i];
  } else if (dtype == FP_BF16) {
    const uint16_t *source = static_cast<const uint16_t *>(row) + offset;
    for (int i = 0; i < dim; i++) out[i] = bf16_to_float(source[i]);
  } else {
    const uint16_t *source = static_cast<const uint16_t *>(row) + offset;
    for (int i = 0; i < dim; i++) out[i] = f16_to_float(source[i]);
  }
}

// e^x to about 1e-7, for x <= 0; -inf gives 0. Cody-Waite reduction and a polynomial of degree 6.
inline float fast_exp(float x) {
  const float clamped = x > -87.0f ? x : -87.0f;
  const float scaled = clamped * 1.44269504f;
  const float whole = __builtin_floorf(scaled + 0.5f);
  const float rest = (clamped - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.38888889e-3f;
  p = p * rest + 8.33333333e-3f;
  p = p * rest + 4.16666667e-2f;
  p = p * rest + 1.66666667e-1f;
  p = p * rest + 0.5f;
  p = p * rest + 1.0f;
  p = p * rest + 1.0f;
  const uint32_t exponent = static_cast<uint32_t>(static_cast<int32_t>(whole) + 127) << 23;
  float power;
  __builtin_memcpy(&power, &exponent, 4);
  return x > -87.0f ? p * power : 0.0f;
}

void FP_ITEM_NAME(const AttentionItem &item) {
  const int rows = item.num_rows, dqk = item.head_dim_qk, dvo = item.head_dim_vo;
  float *q = item.scratch;                                // [rows, dqk], scaled
  float *scores = q + size_t{max_tile_rows} * max_head_dim;  // [rows, kv_block]
  float *maxima = scores + size_t{max_tile_rows} * kv_block;
  float *sums = maxima + max_tile_rows;
  float *keys = sums + max_tile_rows;                     // [dqk, kv_block]: transposed, so that scores run over tokens
  float *values = keys + size_t{kv_block} * max_head_dim;  // [kv_block, dvo]
  float *row = values + size_t{kv_block} * max_head_dim;   // one key
  float *out = item.out;

  for (int r = 0; r < rows; r++) {
    load_row(item.dtype, item.q_rows[r], 0, dqk, q + r * dqk);
    for (int i = 0; i < dqk; i++) q[r * dqk + i] *= item.sm_scale;
    maxima[r] = -__builtin_inff();
    sums[r] = 0;
    for (int i = 0; i < dvo; i++) out[r * dvo + i] = 0;
  }

  for (int begin = item.kv_begin; begin < item.kv_end; begin += kv_block) {
    const int count = item.kv_end - begin < kv_block ? item.kv_end - begin : kv_block;
    for (int t = 0; t < count; t++) {
      const int64_t page = item.pages[(begin + t) / item.page_size], in_page = (begin + t) % item.page_size;
      load_row(item.dtype, item.k, page * item.k_page_stride + in_page * item.k_token_stride, dqk, row);
      for (int i = 0; i < dqk; i++) keys[i * kv_block + t] = row[i];
      load_row(item.dtype, item.v, page * item.v_page_stride + in_page * item.v_token_stride, dvo, values + t * dvo);
    }
    for (int t = count; t < kv_block; t++) {
      for (int i = 0; i < dqk; i++) keys[i * kv_block + t] = 0;
    }
    for (int r = 0; r < rows; r++) {
      float *__restrict s = scores + r * kv_block;
      for (int t = 0; t < kv_block; t++) s[t] = 0;
      for (int i = 0; i < dqk; i++) {
        const float factor = q[r * dqk + i];
        const float *__restrict key = keys + i * kv_block;
        for (int t = 0; t < kv_block; t++) s[t] += factor * key[t];
      }
      if (item.soft_cap > 0) {
        for (int t = 0; t < count; t++) s[t] = item.soft_cap * __builtin_tanhf(s[t] / item.soft_cap);
      }
      if (item.needs_mask) {
        for (int t = 0; t < count; t++) {
          if (!visible(item, r / item.group, begin + t)) s[t] = -__builtin_inff();
        }
      }
      float maximum = maxima[r];
      for (int t = 0; t < count; t++) maximum = s[t] > maximum ? s[t] : maximum;
      if (maximum == -__builtin_inff()) continue;  // nothing visible yet
      const float keep = fast_exp(maxima[r] - maximum);
      float sum = 0;
      for (int t = 0; t < count; t++) s[t] = fast_exp(s[t] - maximum);
      for (int t = 0; t < count; t++) sum += s[t];
      sums[r] = sums[r] * keep + sum;
      maxima[r] = maximum;
      float *__restrict o = out + r * dvo;
      if (keep != 1.0f) {
        for (int i = 0; i < dvo; i++) o[i] *= keep;
      }
      for (int t = 0; t < count; t++) {
        const float weight = s[t];
        if (weight == 0.0f) continue;  // also keeps a hidden token's NaN out
        const float *__restrict value = values + t * dvo;
        for (int i = 0; i < dvo; i++) o[i] += weight * value[i];
      }
    }
  }

  for (int r = 0; r < rows; r++) {
    const float scale = sums[r] > 0 ? 1.0f / sums[r] : 0.0f;
    for (int i = 0; i < dvo; i++) out[r * dvo + i] *= scale;
    item.lse[r] = sums[r] > 0 ? maxima[r] + __builtin_logf(sums[r]) : -__builtin_inff();
  }
}

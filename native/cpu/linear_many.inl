// linear_many.inl: products of many tokens in f32: panels of tokens against weights made floats once for all of them. Include
// panel_product.inl before.

inline size_t many_block_bytes(int, int64_t k) { return static_cast<size_t>(k) * lanes * sizeof(float); }
inline size_t many_scratch_bytes(int, int64_t k) { return static_cast<size_t>(k) * panel_outputs * sizeof(float); }

inline void pack_many(int dtype, const void *x, int64_t x_stride, int num_tokens, int64_t k, void *packed) {
  float *target = static_cast<float *>(packed);
  for_dtype(dtype, [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < k; i += lanes) {
      const int count = k - i < lanes ? static_cast<int>(k - i) : lanes;
      float rows[lanes][lanes];
      for (int m = 0; m < lanes; m++) {
        const typename T::Storage *row = static_cast<const typename T::Storage *>(x) + m * x_stride + i;
        store(rows[m], m >= num_tokens ? Floats{} : count == lanes ? T::load_floats(row) : load_some<T>(row, count));
      }
      for (int j = 0; j < count; j++) {
        for (int m = 0; m < lanes; m++) target[(i + j) * lanes + m] = rows[m][j];
      }
    }
  });
}

// Stores tokens x outputs held outputs by tokens.
template <typename T, int num_panels>
FP_INLINE void store_panels(const Floats (&sum)[panel_outputs][num_panels], typename T::Storage *out, int64_t out_stride, int num_tokens, int num_outputs) {
  typename T::Storage results[panel_outputs][num_panels * lanes];
  for (int n = 0; n < panel_outputs; n++) {
    for (int p = 0; p < num_panels; p++) T::store_floats(results[n] + p * lanes, sum[n][p]);
  }
  if (num_outputs == panel_outputs) {
    for (int m = 0; m < num_tokens; m++) {
      for (int n = 0; n < panel_outputs; n++) out[m * out_stride + n] = results[n][m];
    }
    return;
  }
  for (int m = 0; m < num_tokens; m++) {
    for (int n = 0; n < num_outputs; n++) out[m * out_stride + n] = results[n][m];
  }
}

template <int num_panels>
void multiply_panels(const LinearTask &task, const float *w, int first_panel, int first_output, int num_outputs) {
  const int64_t k = task.k, panel_stride = k * lanes;
  Floats sum[panel_outputs][num_panels];
  for (int n = 0; n < panel_outputs; n++) {
    const Floats bias = all(task.bias != nullptr && n < num_outputs ? task.bias[first_output + n] : 0.0f);
    for (int p = 0; p < num_panels; p++) sum[n][p] = bias;
  }
  panel_product<num_panels, panel_outputs>(static_cast<const float *>(task.packed) + first_panel * panel_stride, panel_stride, w, k, 1, k, sum);
  const int first_token = first_panel * lanes, left = task.num_tokens - first_token;
  const int num_tokens = left < num_panels * lanes ? left : num_panels * lanes;
  for_dtype(task.out_dtype, [&](auto type) __attribute__((always_inline)) {
    using T = decltype(type);
    store_panels<T, num_panels>(sum, static_cast<typename T::Storage *>(task.out) + first_token * task.out_stride + first_output, task.out_stride, num_tokens, num_outputs);
  });
}

// Rows of weights as floats; rows that are not there become zeros.
template <typename T>
void widen_weights(const typename T::Storage *w, int64_t k, int num_outputs, float *out) {
  for (int n = 0; n < panel_outputs; n++) {
    int64_t i = 0;
    for (; i + lanes <= k && n < num_outputs; i += lanes) store(out + n * k + i, T::load_floats(w + n * k + i));
    for (; i < k; i++) out[n * k + i] = n < num_outputs ? load_some<T>(w + n * k + i, 1)[0] : 0.0f;
  }
}

inline void multiply_many(const LinearTask &task) {
  const int num_panels = (task.num_tokens + lanes - 1) / lanes;
  for (int first = 0; first < task.num_outputs; first += panel_outputs) {
    const int count = task.num_outputs - first < panel_outputs ? task.num_outputs - first : panel_outputs;
    const float *w = static_cast<const float *>(task.w) + first * task.k;
    if (task.dtype != FP_F32 || count < panel_outputs) {
      for_dtype(task.dtype, [&](auto type) {
        using T = decltype(type);
        widen_weights<T>(static_cast<const typename T::Storage *>(task.w) + first * task.k, task.k, count, static_cast<float *>(task.scratch));
      });
      w = static_cast<const float *>(task.scratch);
    }
    int panel = 0;
    for (; panel + max_panels <= num_panels; panel += max_panels) multiply_panels<max_panels>(task, w, panel, first, count);
    switch (num_panels - panel) {
      case 3: multiply_panels<3>(task, w, panel, first, count); break;
      case 2: multiply_panels<2>(task, w, panel, first, count); break;
      case 1: multiply_panels<1>(task, w, panel, first, count); break;
    }
  }
}

constexpr LinearForm few_form = {few_tokens, few_step, few_block_bytes, pack_few, few_scratch_bytes, multiply_few};
constexpr LinearForm many_form = {lanes, panel_outputs, many_block_bytes, pack_many, many_scratch_bytes, multiply_many};

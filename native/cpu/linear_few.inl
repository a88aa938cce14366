// linear_few.inl: products of up to 8 tokens at a time by dot products. Each weight is read from memory once, in the order it lies there; blocks of
// more tokens find it in the first-level cache. Include simd.inl before.

constexpr int few_tokens = 8;
constexpr int few_outputs = 64;  // results gathered before they are rounded and stored
constexpr int few_step = 16;

FP_INLINE int64_t padded(int64_t k) { return (k + 2 * lanes - 1) / (2 * lanes) * (2 * lanes); }

// Weights lie end to end, and what is computed with those at hand hides the way from memory of those that come this much later. Past the last
// row it asks for bytes that are not used, which is allowed.
constexpr int64_t prefetch_bytes = 8192;

template <typename Storage>
FP_INLINE void prefetch_weights(const Storage *w) {
  __builtin_prefetch(reinterpret_cast<const char *>(w) + prefetch_bytes, 0, 3);
}

// Weights of one row and step, or what is left of them.
template <typename T>
FP_INLINE void load_weights(const typename T::Storage *w, int64_t left, Floats &a, Floats &b) {
  if (left >= 2 * lanes) return T::load_pair(w, a, b);
  typename T::Storage rest[2 * lanes] = {};
  for (int64_t i = 0; i < left; i++) rest[i] = w[i];
  T::load_pair(rest, a, b);
}

// sums[token * few_outputs + output] for all of num_tokens and num_outputs. x: floats in load_pair's order, rows of padded(k).
template <typename T, int num_tokens, int num_outputs>
FP_INLINE void dots(const float *x, const typename T::Storage *w, int64_t k, float *sums) {
  const int64_t x_stride = padded(k);
  Floats sum[num_outputs][num_tokens] = {};
  const auto step = [&](int64_t i, int64_t left) __attribute__((always_inline)) {
    Floats a[num_outputs], b[num_outputs];
    for (int n = 0; n < num_outputs; n++) {
      prefetch_weights(w + n * k + i);
      load_weights<T>(w + n * k + i, left, a[n], b[n]);
    }
    for (int m = 0; m < num_tokens; m++) {
      const Floats xa = load<Floats>(x + m * x_stride + i), xb = load<Floats>(x + m * x_stride + i + lanes);
      for (int n = 0; n < num_outputs; n++) sum[n][m] += a[n] * xa;
      for (int n = 0; n < num_outputs; n++) sum[n][m] += b[n] * xb;
    }
  };
  const int64_t whole = k / (2 * lanes) * (2 * lanes);
  for (int64_t i = 0; i < whole; i += 2 * lanes) step(i, 2 * lanes);
  if (whole < k) step(whole, k - whole);
  for (int m = 0; m < num_tokens; m++) {
    if constexpr (num_outputs == 4) store(sums + m * few_outputs, sums_of(sum[0][m], sum[1][m], sum[2][m], sum[3][m]));
    else for (int n = 0; n < num_outputs; n++) sums[m * few_outputs + n] = sum_of(sum[n][m]);
  }
}

// As many outputs at once as registers hold sums of.
template <typename T, int num_tokens>
void dots_of_run(const float *x, const typename T::Storage *w, int64_t k, int count, float *sums) {
#if FP_LANES == 16 || defined(__aarch64__)
  constexpr int sums_at_once = 16;
#else
  constexpr int sums_at_once = 8;
#endif
  constexpr int at_once = num_tokens * 4 <= sums_at_once ? 4 : num_tokens * 2 <= sums_at_once ? 2 : 1;
  int n = 0;
  for (; n + at_once <= count; n += at_once) dots<T, num_tokens, at_once>(x, w + n * k, k, sums + n);
  for (; n < count; n++) dots<T, num_tokens, 1>(x, w + n * k, k, sums + n);
}

// Results of a run, with their bias, to their places.
template <typename T>
FP_INLINE void store_run(const float *sums, const float *bias, int count, typename T::Storage *out) {
  for (int n = 0; n < count; n += lanes) {
    Floats v = load<Floats>(sums + n);
    const int left = count - n;
    if (left >= lanes) {
      if (bias != nullptr) v += load<Floats>(bias + n);
      T::store_floats(out + n, v);
    } else {
      if (bias != nullptr) v += load_some<F32>(bias + n, left);
      store_some<T>(out + n, v, left);
    }
  }
}

inline void store_runs(const LinearTask &task, const float *sums, int first_token, int num_tokens, int first_output, int count) {
  const float *bias = task.bias == nullptr ? nullptr : task.bias + first_output;
  for_dtype(task.out_dtype, [&](auto type) __attribute__((always_inline)) {
    using T = decltype(type);
    for (int m = 0; m < num_tokens; m++) {
      store_run<T>(sums + m * few_outputs, bias, count, static_cast<typename T::Storage *>(task.out) + (first_token + m) * task.out_stride + first_output);
    }
  });
}

template <typename T>
void multiply_few_of(const LinearTask &task) {
  const typename T::Storage *w = static_cast<const typename T::Storage *>(task.w);
  const float *packed = static_cast<const float *>(task.packed);
  const int64_t k = task.k;
  alignas(64) float sums[few_tokens * few_outputs];
  for (int first = 0; first < task.num_outputs; first += few_outputs) {
    const int count = task.num_outputs - first < few_outputs ? task.num_outputs - first : few_outputs;
    for (int token = 0; token < task.num_tokens; token += few_tokens) {
      const int tokens = task.num_tokens - token < few_tokens ? task.num_tokens - token : few_tokens;
      const float *x = packed + token * padded(k);
      const typename T::Storage *run = w + first * k;
      switch (tokens) {
        case 1: dots_of_run<T, 1>(x, run, k, count, sums); break;
        case 2: dots_of_run<T, 2>(x, run, k, count, sums); break;
        case 3: dots_of_run<T, 3>(x, run, k, count, sums); break;
        case 4: dots_of_run<T, 4>(x, run, k, count, sums); break;
        case 5: dots_of_run<T, 5>(x, run, k, count, sums); break;
        case 6: dots_of_run<T, 6>(x, run, k, count, sums); break;
        case 7: dots_of_run<T, 7>(x, run, k, count, sums); break;
        default: dots_of_run<T, 8>(x, run, k, count, sums);
      }
      store_runs(task, sums, token, tokens, first, count);
    }
  }
}

inline void multiply_few(const LinearTask &task) {
  for_dtype(task.dtype, [&](auto type) { multiply_few_of<decltype(type)>(task); });
}

inline size_t few_block_bytes(int, int64_t k) { return static_cast<size_t>(padded(k)) * few_tokens * sizeof(float); }

// Only the rows that are there: no others are computed with.
inline void pack_few(int dtype, const void *x, int64_t x_stride, int num_tokens, int64_t k, void *packed) {
  for_dtype(dtype, [&](auto type) {
    using T = decltype(type);
    for (int m = 0; m < num_tokens; m++) {
      const typename T::Storage *row = static_cast<const typename T::Storage *>(x) + m * x_stride;
      float *target = static_cast<float *>(packed) + m * padded(k);
      for (int64_t i = 0; i < k; i += 2 * lanes) {
        Floats a, b;
        load_weights<T>(row + i, k - i, a, b);
        store(target + i, a);
        store(target + i + lanes, b);
      }
    }
  });
}

inline size_t few_scratch_bytes(int, int64_t) { return 64; }

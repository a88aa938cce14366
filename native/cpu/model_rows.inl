// model_rows.inl: see model_rows.h. Include simd.inl before.

// Calls whole(i) for each vector of `count` elements, and rest(i, left) for what is left of it.
template <typename Whole, typename Rest>
FP_INLINE void for_vectors(int64_t count, const Whole &whole, const Rest &rest) {
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) whole(i);
  if (i < count) rest(i, static_cast<int>(count - i));
}

template <typename T>
FP_INLINE Floats load_up_to(const typename T::Storage *p, int count) {
  return count == lanes ? T::load_floats(p) : load_some<T>(p, count);
}

template <typename T>
FP_INLINE void store_up_to(typename T::Storage *p, Floats v, int count) {
  if (count == lanes) T::store_floats(p, v);
  else store_some<T>(p, v, count);
}

// The norm is taken of the residual as stored, after rounding: the next layer reads the same numbers, and the CUDA kernel does the same.
template <typename T>
void rms_norm_row(int dim, float eps, const void *x_row, void *residual_row, const void *weight_row, void *out_row, float *buffer) {
  using S = typename T::Storage;
  const S *x = static_cast<const S *>(x_row), *weight = static_cast<const S *>(weight_row);
  S *residual = static_cast<S *>(residual_row), *out = static_cast<S *>(out_row);
  Floats squares = {};
  const auto add = [&](int64_t i, int count) __attribute__((always_inline)) {
    Floats v = load_up_to<T>(x + i, count);
    if (residual != nullptr) {
      store_up_to<T>(residual + i, load_up_to<T>(residual + i, count) + v, count);
      v = load_up_to<T>(residual + i, count);
    }
    store_up_to<F32>(buffer + i, v, count);
    squares += v * v;
  };
  for_vectors(dim, [&](int64_t i) __attribute__((always_inline)) { add(i, lanes); }, add);
  const float scale = 1.0f / __builtin_sqrtf(sum_of(squares) / static_cast<float>(dim) + eps);
  const auto scale_to = [&](int64_t i, int count) __attribute__((always_inline)) {
    store_up_to<T>(out + i, load_up_to<F32>(buffer + i, count) * scale * load_up_to<T>(weight + i, count), count);
  };
  for_vectors(dim, [&](int64_t i) __attribute__((always_inline)) { scale_to(i, lanes); }, scale_to);
}

inline void rms_norm(int dtype, int dim, float eps, const void *x, void *residual, const void *weight, void *out, float *buffer) {
  for_dtype(dtype, [&](auto type) { rms_norm_row<decltype(type)>(dim, eps, x, residual, weight, out, buffer); });
}

inline void silu_and_mul(int dtype, int dim, const void *gate_row, const void *up_row, void *out_row) {
  for_dtype(dtype, [&](auto type) {
    using T = decltype(type);
    using S = typename T::Storage;
    const S *gate = static_cast<const S *>(gate_row), *up = static_cast<const S *>(up_row);
    S *out = static_cast<S *>(out_row);
    const auto multiply = [&](int64_t i, int count) __attribute__((always_inline)) {
      const Floats z = load_up_to<T>(gate + i, count);
      store_up_to<T>(out + i, z / (1.0f + exp2_of(z * -log2_e)) * load_up_to<T>(up + i, count), count);
    };
    for_vectors(dim, [&](int64_t i) __attribute__((always_inline)) { multiply(i, lanes); }, multiply);
  });
}

typedef double Doubles __attribute__((vector_size(FP_LANES * 8)));

// The angle is reduced in f64: a position of 10^6 times a frequency has too few bits left in f32. The polynomials were fitted on [-pi / 4, pi / 4] for
// the smallest relative error.
inline void angles(int position, const float *inv_freq, int count, float *cosines, float *sines) {
  for (int i = 0; i < count; i += lanes) {
    const Floats frequency = load_up_to<F32>(inv_freq + i, count - i < lanes ? count - i : lanes);
    const Doubles angle = __builtin_convertvector(frequency, Doubles) * static_cast<double>(position);
    const double shift = 6755399441055744.0;  // 1.5 * 2^52: a sum with it has no fraction
    const Doubles quarters = (angle * 0.63661977236758134308 + shift) - shift;
    const Floats rest = __builtin_convertvector((angle - quarters * 1.5707963267948965580) - quarters * 6.1232339957367660359e-17, Floats);
    const Doubles turns = quarters - 4.0 * ((quarters * 0.25 + shift) - shift);  // -2 to 2
    const Ints quarter = __builtin_convertvector(turns, Ints) & 3;
    const Floats square = rest * rest;
    Floats sine = square * -1.950174919e-4f + 8.332015947e-3f;
    sine = rest + rest * square * (sine * square - 0.1666665077f);
    Floats cosine = square * 2.437258809e-5f - 1.388652833e-3f;
    cosine = cosine * square + 4.166661203e-2f;
    cosine = (cosine * square - 0.5f) * square + 1.0f;
    const Ints is_odd = (quarter & 1) != 0;
    const Floats s = is_odd ? cosine : sine, c = is_odd ? sine : cosine;
    store(sines + i, (Floats)((Words)s ^ (Words)((quarter & 2) << 30)));
    store(cosines + i, (Floats)((Words)c ^ (Words)(((quarter + 1) & 2) << 30)));
  }
}

template <typename T>
void rotate_row(const void *source_row, void *target_row, int rotary_dim, bool interleaved, const float *cosines, const float *sines) {
  using S = typename T::Storage;
  const S *source = static_cast<const S *>(source_row);
  S *target = static_cast<S *>(target_row);
  const int half = rotary_dim / 2;
  int i = 0;
  if (!interleaved) {
    const auto turn = [&](int64_t at, int count) __attribute__((always_inline)) {
      const Floats x = load_up_to<T>(source + at, count), y = load_up_to<T>(source + half + at, count);
      const Floats c = load_up_to<F32>(cosines + at, count), s = load_up_to<F32>(sines + at, count);
      store_up_to<T>(target + at, x * c - y * s, count);
      store_up_to<T>(target + half + at, y * c + x * s, count);
    };
    return for_vectors(half, [&](int64_t at) __attribute__((always_inline)) { turn(at, lanes); }, turn);
  }
  if constexpr (__is_same(T, Bf16)) {
    for (; i + lanes <= half; i += lanes) {
      Floats x, y;
      T::load_pair(source + 2 * i, x, y);
      const Floats c = load<Floats>(cosines + i), s = load<Floats>(sines + i);
      T::store_pair(target + 2 * i, x * c - y * s, y * c + x * s);
    }
  }
  for (; i < half; i += lanes / 2) {
    // Half a vector of pairs at a time, through arrays.
    const int count = half - i < lanes / 2 ? half - i : lanes / 2;
    float pair[lanes];
    store(pair, load_up_to<T>(source + 2 * i, 2 * count));
    for (int j = 0; j < count; j++) {
      const float x = pair[2 * j], y = pair[2 * j + 1];
      pair[2 * j] = x * cosines[i + j] - y * sines[i + j];
      pair[2 * j + 1] = y * cosines[i + j] + x * sines[i + j];
    }
    store_up_to<T>(target + 2 * i, load<Floats>(pair), 2 * count);
  }
}

inline void rotate(int dtype, const void *source, void *target, int rotary_dim, bool interleaved, const float *cosines, const float *sines) {
  for_dtype(dtype, [&](auto type) { rotate_row<decltype(type)>(source, target, rotary_dim, interleaved, cosines, sines); });
}

inline void quantise(int fp8_dtype, const float *source, int count, float scale, uint8_t *target) {
  for (int i = 0; i < count; i += lanes) {
    const Floats v = load<Floats>(source + i) / scale;
    if (fp8_dtype == FP_E4M3) E4m3::store_floats(target + i, v);
    else E5m2::store_floats(target + i, v);
  }
}

// Finds the maximum, then where it is first.
template <typename T>
int argmax_of(const typename T::Storage *row, int64_t count) {
  constexpr float minus_infinity = -__builtin_inff();
  Floats highest[4] = {all(minus_infinity), all(minus_infinity), all(minus_infinity), all(minus_infinity)};
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    for (int j = 0; j < 4; j++) highest[j] = larger(T::load_floats(row + i + j * lanes), highest[j]);
  }
  float maximum = largest_of(larger(larger(highest[0], highest[1]), larger(highest[2], highest[3])));
  for (; i < count; i++) {
    const float value = load_some<T>(row + i, 1)[0];
    maximum = value > maximum ? value : maximum;
  }
  if (maximum == minus_infinity) return 0;
  for (i = 0; i + lanes <= count; i += lanes) {
    const Ints equal = T::load_floats(row + i) == all(maximum);
    int32_t any = 0;
    for (int j = 0; j < lanes; j++) any |= equal[j];
    if (any != 0) break;
  }
  while (load_some<T>(row + i, 1)[0] != maximum) i++;
  return static_cast<int>(i);
}

inline int argmax(int dtype, const void *row, int64_t count) {
  int found = 0;
  for_dtype(dtype, [&](auto type) {
    using T = decltype(type);
    found = argmax_of<T>(static_cast<const typename T::Storage *>(row), count);
  });
  return found;
}

inline void load_logits(int dtype, const void *row, int64_t count, float *out) {
  for_dtype(dtype, [&](auto type) {
    using T = decltype(type);
    const typename T::Storage *source = static_cast<const typename T::Storage *>(row);
    const auto copy = [&](int64_t i, int left) __attribute__((always_inline)) {
      const Floats v = load_up_to<T>(source + i, left);
      store_up_to<F32>(out + i, v == v ? v : all(-__builtin_inff()), left);
    };
    for_vectors(count, [&](int64_t i) __attribute__((always_inline)) { copy(i, lanes); }, copy);
  });
}

inline void exponentials(const float *logits, int64_t count, float maximum, float temperature, float *out) {
  const auto raise = [&](int64_t i, int left) __attribute__((always_inline)) {
    store_up_to<F32>(out + i, exp2_of((load_up_to<F32>(logits + i, left) - maximum) / temperature * log2_e), left);
  };
  for_vectors(count, [&](int64_t i) __attribute__((always_inline)) { raise(i, lanes); }, raise);
}

inline void block_maxima(const float *logits, int64_t count, float *out) {
  for (int64_t first = 0; first < count; first += maxima_block) {
    const int64_t end = first + maxima_block < count ? first + maxima_block : count;
    Floats highest = all(-__builtin_inff());
    int64_t i = first;
    for (; i + lanes <= end; i += lanes) highest = larger(load<Floats>(logits + i), highest);
    float maximum = largest_of(highest);
    for (; i < end; i++) maximum = logits[i] > maximum ? logits[i] : maximum;
    out[first / maxima_block] = maximum;
  }
}

constexpr ModelRows table = {rms_norm, silu_and_mul, angles, rotate, quantise, argmax, load_logits, exponentials, block_maxima};

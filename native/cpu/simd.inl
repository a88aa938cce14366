// simd.inl: vectors of FP_LANES floats, and element types that are read into and written from them. Included once by each instruction set's
// file, inside a namespace of its own, so that the linker never hands code of a wide set to a processor without it.
//
// Define FP_LANES (4, 8 or 16) before including. With 16, the file is compiled for AVX-512, and includes <immintrin.h> before.

#if defined(__clang__)
#pragma clang fp contract(fast)
#endif

#define FP_INLINE inline __attribute__((always_inline))

constexpr int lanes = FP_LANES;

typedef float Floats __attribute__((vector_size(FP_LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(FP_LANES * 4)));
typedef uint32_t Words __attribute__((vector_size(FP_LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(FP_LANES * 2)));
typedef uint8_t Bytes __attribute__((vector_size(FP_LANES)));
typedef float Quad __attribute__((vector_size(16)));

template <typename Vector>
FP_INLINE Vector load(const void *source) {
  Vector value;
  __builtin_memcpy(&value, source, sizeof value);
  return value;
}

template <typename Vector>
FP_INLINE void store(void *target, Vector value) {
  __builtin_memcpy(target, &value, sizeof value);
}

FP_INLINE Floats all(float value) { return value - Floats{}; }
FP_INLINE Ints all_ints(int32_t value) { return value - Ints{}; }

// As C's comparison says: a NaN in `a` gives `b`.
FP_INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }
FP_INLINE Floats smaller(Floats a, Floats b) { return a < b ? a : b; }

FP_INLINE Quad fold(Floats v) {
#if FP_LANES == 16
  typedef float Half __attribute__((vector_size(32)));
  const Half half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(half, half, 0, 1, 2, 3) + __builtin_shufflevector(half, half, 4, 5, 6, 7);
#elif FP_LANES == 8
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  return v;
#endif
}

FP_INLINE float sum_of(Floats v) {
  const Quad quad = fold(v);
  return (quad[0] + quad[2]) + (quad[1] + quad[3]);
}

// Sums of four vectors at once, added in the same order as sum_of.
FP_INLINE Quad sums_of(Floats a, Floats b, Floats c, Floats d) {
  const Quad p = fold(a), q = fold(b), r = fold(c), s = fold(d);
  const Quad pq = __builtin_shufflevector(p, q, 0, 4, 1, 5) + __builtin_shufflevector(p, q, 2, 6, 3, 7);
  const Quad rs = __builtin_shufflevector(r, s, 0, 4, 1, 5) + __builtin_shufflevector(r, s, 2, 6, 3, 7);
  return __builtin_shufflevector(pq, rs, 0, 1, 4, 5) + __builtin_shufflevector(pq, rs, 2, 3, 6, 7);
}

FP_INLINE float largest_of(Floats v) {
#if FP_LANES == 16
  typedef float Half __attribute__((vector_size(32)));
  const Half low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const Half half = low > high ? low : high;
#else
  const Floats half = v;
#endif
#if FP_LANES == 4
  const Quad quad = half;
#else
  const Quad first = __builtin_shufflevector(half, half, 0, 1, 2, 3), second = __builtin_shufflevector(half, half, 4, 5, 6, 7);
  const Quad quad = first > second ? first : second;
#endif
  const float a = quad[0] > quad[1] ? quad[0] : quad[1], b = quad[2] > quad[3] ? quad[2] : quad[3];
  return a > b ? a : b;
}

// 2^x to 2e-7, exactly 1 at 0; far below the smallest float 0, far above the largest a huge number or infinity; NaN stays NaN, for which
// x must be the second operand of `larger` and `smaller`. x is split into whole and rest; the polynomial was fitted to
// 2^rest on [-0.5, 0.5] for the smallest relative error, with its constant held at 1.
FP_INLINE Floats exp2_of(Floats x) {
#if FP_LANES == 16
  x = larger(all(-160.0f), x);
  const Floats whole = _mm512_roundscale_ps(x, 0);
  const Floats rest = x - whole;
#else
  x = smaller(all(127.0f), larger(all(-127.0f), x));
  const float shift = 12582912.0f;  // 1.5 * 2^23: a sum with it has no fraction
  const Floats whole = (x + shift) - shift;
  const Floats rest = x - whole;
#endif
  Floats p = rest * 1.326472731e-3f + 9.671512991e-3f;
  p = p * rest + 5.550733581e-2f;
  p = p * rest + 0.2402224243f;
  p = p * rest + 0.6931470037f;
  p = p * rest + 1.0f;
#if FP_LANES == 16
  return _mm512_scalef_ps(p, whole);
#else
  const Ints power = (__builtin_convertvector(whole, Ints) + 127) << 23;
  return p * (Floats)power;
#endif
}

constexpr float log2_e = 1.44269504f, ln_2 = 0.69314718f;

// tanh to 2e-7 of 1.
FP_INLINE Floats tanh_of(Floats x) {
  const Words sign = (Words)x & 0x80000000u;
  const Floats magnitude = (Floats)((Words)x & 0x7fffffffu);
  const Floats value = 1.0f - 2.0f / (exp2_of(magnitude * (2 * log2_e)) + 1.0f);
  return (Floats)((Words)value | sign);
}

// Element types. load_pair reads 2 * lanes neighbours in the order that costs least, store_pair writes them from the same order; a sum over them, or
// a map from them to their like, need not know which. What is loaded times `unit`, a power of two, is the element's value.

struct F32 {
  using Storage = float;
  static constexpr float unit = 1;
  static FP_INLINE Floats load_floats(const float *p) { return load<Floats>(p); }
  static FP_INLINE void store_floats(float *p, Floats v) { store(p, v); }
  static FP_INLINE void load_pair(const float *p, Floats &a, Floats &b) {
    a = load<Floats>(p);
    b = load<Floats>(p + lanes);
  }
  static FP_INLINE void store_pair(float *p, Floats a, Floats b) {
    store(p, a);
    store(p + lanes, b);
  }
};

FP_INLINE Words round_to_bf16(Floats v) {  // in the upper half; to nearest even, NaN stays NaN
  const Words bits = (Words)v;
  const Words rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (bits & 0x7fffffffu) > 0x7f800000u ? (bits | 0x400000u) : rounded;
}

struct Bf16 {
  using Storage = uint16_t;
  static constexpr float unit = 1;
  static FP_INLINE Floats load_floats(const uint16_t *p) { return (Floats)(__builtin_convertvector(load<Halves>(p), Words) << 16); }
  static FP_INLINE void store_floats(uint16_t *p, Floats v) { store(p, __builtin_convertvector(round_to_bf16(v) >> 16, Halves)); }
  // a: elements 0, 2, 4, ..., b: 1, 3, 5, ...
  static FP_INLINE void load_pair(const uint16_t *p, Floats &a, Floats &b) {
    const Words both = load<Words>(p);
    a = (Floats)(both << 16);
    b = (Floats)(both & 0xffff0000u);
  }
  static FP_INLINE void store_pair(uint16_t *p, Floats a, Floats b) { store(p, (round_to_bf16(a) >> 16) | (round_to_bf16(b) & 0xffff0000u)); }
};

struct F16 {
  using Storage = uint16_t;
  static constexpr float unit = 1;
  static FP_INLINE Floats load_floats(const uint16_t *p) { return widen(load<Halves>(p)); }
#if defined(__F16C__) || defined(__aarch64__)
  typedef _Float16 Values __attribute__((vector_size(FP_LANES * 2)));
  static FP_INLINE Floats widen(Halves v) { return __builtin_convertvector((Values)v, Floats); }
  static FP_INLINE void store_floats(uint16_t *p, Floats v) { store(p, __builtin_convertvector(v, Values)); }
#else
  // Exact. The half's fields are put where a float's are, and the exponent's bias is corrected by a product.
  static FP_INLINE Floats widen(Halves v) {
    const Words bits = __builtin_convertvector(v, Words);
    const Words shifted = (bits & 0x7fffu) << 13;
    const Words finite = (Words)((Floats)shifted * 0x1p112f);
    const Words magnitude = (bits & 0x7c00u) == 0x7c00u ? (shifted | 0x7f800000u) : finite;
    return (Floats)(magnitude | (bits & 0x8000u) << 16);
  }
  // To nearest even; too large values become infinite.
  static FP_INLINE void store_floats(uint16_t *p, Floats v) {
    const Words bits = (Words)v, magnitude = bits & 0x7fffffffu;
    const Words subnormal = (Words)((Floats)magnitude + 0.5f) - 0x3f000000u;
    const Words normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    Words out = magnitude < 0x38800000u ? subnormal : normal;
    out = magnitude >= 0x477ff000u ? (Words{} + 0x7c00u) : out;
    out = magnitude > 0x7f800000u ? (Words{} + 0x7e00u) : out;
    store(p, __builtin_convertvector(out | ((bits >> 16) & 0x8000u), Halves));
  }
#endif
  static FP_INLINE void load_pair(const uint16_t *p, Floats &a, Floats &b) {
    a = load_floats(p);
    b = load_floats(p + lanes);
  }
  static FP_INLINE void store_pair(uint16_t *p, Floats a, Floats b) {
    store_floats(p, a);
    store_floats(p + lanes, b);
  }
};

// FP8 is read by way of f16. store_floats rounds to nearest even; what is too large, infinities too, becomes the largest finite number, and NaN stays NaN.

typedef uint16_t TwoHalves __attribute__((vector_size(FP_LANES * 4)));

FP_INLINE void widen_pair(TwoHalves v, Floats &a, Floats &b) {
  Halves parts[2];
  __builtin_memcpy(parts, &v, sizeof v);
  a = F16::widen(parts[0]);
  b = F16::widen(parts[1]);
}

// The smallest exponent is 1 - bias. `subnormal` has a last bit that is worth as much as that of FP8's subnormals, so that a sum with it rounds as they do.
template <int mantissa_bits, int bias>
FP_INLINE void store_fp8(uint8_t *p, Floats v, float largest, float subnormal, uint32_t subnormal_bits) {
  constexpr int shift = 23 - mantissa_bits;
  const Words bits = (Words)v, magnitude = bits & 0x7fffffffu;
  const Floats finite = smaller((Floats)magnitude, all(largest));
  const Words kept = (Words)finite;
  const Words small = (Words)(finite + subnormal) - subnormal_bits;
  const Words normal = (kept - (uint32_t{127 - bias} << 23) + ((1u << (shift - 1)) - 1u) + ((kept >> shift) & 1u)) >> shift;
  Words out = kept < (uint32_t{128 - bias} << 23) ? small : normal;
  out = magnitude > 0x7f800000u ? (Words{} + 0x7fu) : out;
  store(p, __builtin_convertvector(out | ((bits >> 24) & 0x80u), Bytes));
}

struct E4m3 {
  using Storage = uint8_t;
  // Exponent and mantissa are put where an f16 has its last four bits of the one and its first three of the other, whose bias is 8 more.
  static constexpr float unit = 256;
  static FP_INLINE Floats load_floats(const uint8_t *p) { return F16::widen(as_f16<Halves>(load<SignedBytes>(p))); }
  static FP_INLINE void load_pair(const uint8_t *p, Floats &a, Floats &b) { widen_pair(as_f16<TwoHalves>(load<TwoSignedBytes>(p)), a, b); }
  static FP_INLINE void store_floats(uint8_t *p, Floats v) { store_fp8<3, 7>(p, v, 448.0f, 0x1p14f, (127u + 14u) << 23); }

 private:
  typedef int8_t SignedBytes __attribute__((vector_size(FP_LANES)));
  typedef int8_t TwoSignedBytes __attribute__((vector_size(FP_LANES * 2)));

  // Only of a NaN does the sum reach the exponent's highest bit, and with that bit all of its exponent are set.
  template <typename Result, typename Codes>
  static FP_INLINE Result as_f16(Codes codes) {
    const Result bits = (__builtin_convertvector(codes, Result) << 7) & 0xbf80;
    return bits | ((bits + 0x80) & 0x4000);
  }
};

struct E5m2 {
  using Storage = uint8_t;
  static constexpr float unit = 1;
  static FP_INLINE Floats load_floats(const uint8_t *p) { return F16::widen(__builtin_convertvector(load<Bytes>(p), Halves) << 8); }
  static FP_INLINE void load_pair(const uint8_t *p, Floats &a, Floats &b) { widen_pair(__builtin_convertvector(load<TwoBytes>(p), TwoHalves) << 8, a, b); }
  static FP_INLINE void store_floats(uint8_t *p, Floats v) { store_fp8<2, 15>(p, v, 57344.0f, 0x1p7f, (127u + 7u) << 23); }

 private:
  typedef uint8_t TwoBytes __attribute__((vector_size(FP_LANES * 2)));
};

// `count` elements, fewer than a vector: through a copy.
template <typename T>
FP_INLINE Floats load_some(const typename T::Storage *p, int count) {
  typename T::Storage copy[lanes] = {};
  for (int i = 0; i < count; i++) copy[i] = p[i];
  return T::load_floats(copy);
}

template <typename T>
FP_INLINE void store_some(typename T::Storage *p, Floats v, int count) {
  typename T::Storage copy[lanes];
  T::store_floats(copy, v);
  for (int i = 0; i < count; i++) p[i] = copy[i];
}

// Calls function(T{}) for the element type of a dtype.
template <typename Function>
FP_INLINE void for_dtype(int dtype, const Function &function) {
  if (dtype == FP_BF16) function(Bf16{});
  else if (dtype == FP_F16) function(F16{});
  else function(F32{});
}

// The same where the dtype may be FP8 as well.
template <typename Function>
FP_INLINE void for_kv_dtype(int dtype, const Function &function) {
  if (dtype == FP_E4M3) function(E4m3{});
  else if (dtype == FP_E5M2) function(E5m2{});
  else for_dtype(dtype, function);
}

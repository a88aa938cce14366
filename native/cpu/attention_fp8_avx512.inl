// attention_fp8_avx512.inl: FP8 keys and values beside bf16 queries: made bf16, exactly, on their way into the products of attention_bf16_avx512.inl, which
// then need not know. Include that before.

// The bf16 of each code without its sign, byte by byte: a table of 128 is what one instruction looks up in.
template <int mantissa_bits>
struct Fp8Tables {
  alignas(64) uint8_t low[128] = {}, high[128] = {};

  constexpr Fp8Tables() {
    constexpr int exponent_bits = 7 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
    for (int code = 0; code < 128; code++) {
      int exponent = code >> mantissa_bits, mantissa = code & ((1 << mantissa_bits) - 1);
      bool is_nan = false, is_infinite = false;
      if (mantissa_bits == 3) is_nan = code == 127;
      else if (exponent == 31) (mantissa != 0 ? is_nan : is_infinite) = true;
      int bits = 0;
      if (is_nan || is_infinite) {
        bits = is_nan ? 0x7fc0 : 0x7f80;
      } else if (code != 0) {
        if (exponent == 0) {  // a subnormal: its first one is taken for the one before the point
          for (exponent = 1; mantissa >> mantissa_bits == 0; exponent--) mantissa <<= 1;
          mantissa &= (1 << mantissa_bits) - 1;
        }
        bits = (exponent - bias + 127) << 7 | mantissa << (7 - mantissa_bits);
      }
      low[code] = static_cast<uint8_t>(bits & 255);
      high[code] = static_cast<uint8_t>(bits >> 8);
    }
  }
};

template <int mantissa_bits>
struct Fp8ToBf16 {
  __m512i low[2], high[2], twice, sign;

  FP_INLINE Fp8ToBf16() {
    static constexpr Fp8Tables<mantissa_bits> tables;
    for (int i = 0; i < 2; i++) {
      low[i] = _mm512_load_si512(tables.low + 64 * i);
      high[i] = _mm512_load_si512(tables.high + 64 * i);
    }
    alignas(64) static constexpr uint8_t places[64] = {0,  0,  1,  1,  2,  2,  3,  3,  4,  4,  5,  5,  6,  6,  7,  7,  8,  8,  9,  9,  10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15,
                                                       16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 22, 22, 23, 23, 24, 24, 25, 25, 26, 26, 27, 27, 28, 28, 29, 29, 30, 30, 31, 31};
    twice = _mm512_load_si512(places);
    sign = _mm512_set1_epi16(static_cast<int16_t>(0x8000));
  }

  // Of 32 elements.
  FP_INLINE __m512i operator()(const uint8_t *p) const {
    const __m512i codes = _mm512_permutexvar_epi8(twice, _mm512_castsi256_si512(load<__m256i>(p)));
    const __m512i magnitude = _mm512_mask_blend_epi8(0xaaaaaaaaaaaaaaaaull, _mm512_permutex2var_epi8(low[0], codes, low[1]), _mm512_permutex2var_epi8(high[0], codes, high[1]));
    return _mm512_ternarylogic_epi32(magnitude, codes, sign, 0xf8);  // magnitude | (codes & sign)
  }
};

// Rows of a block as bf16. Calls for lines ahead as it reads.
template <int mantissa_bits>
struct DecodedRows {
  alignas(64) uint16_t elements[few_block * max_head_dim];
  const uint16_t *rows[few_block];
  static constexpr int64_t offset = 0;

  FP_INLINE DecodedRows(const uint8_t *const *of, int64_t at, int count, int dim, Ahead &ahead) {
    const Fp8ToBf16<mantissa_bits> decode;
    for (int t = 0; t < count; t++) {
      uint16_t *row = elements + t * dim;
      rows[t] = row;
      ahead.call((dim + 63) / 64);
      for (int i = 0; i < dim; i += 32) store(row + i, decode(of[t] + at + i));
    }
  }
};

template <int mantissa_bits>
struct Fp8PairFew : PairFew {
  using Storage = uint8_t;
  using Rows = DecodedRows<mantissa_bits>;

  static FP_INLINE void score(const AttentionItem &item, const uint16_t *q, const uint16_t *const *keys, int64_t offset, int count, float *scores, Ahead &) {
    Ahead none = {};
    PairFew::score(item, q, keys, offset, count, scores, none);
  }
  template <int num_rows>
  static void add_values(const uint16_t *const *values, int64_t offset, int count, const float *weights, const float *keep, float *out, int dim, Ahead &) {
    Ahead none = {};
    PairFew::add_values<num_rows>(values, offset, count, weights, keep, out, dim, none);
  }
};

// Base: PairProducts or what is built on it.
template <typename Base, int mantissa_bits>
struct Fp8Products : Base {
  using Storage = uint8_t;

  explicit Fp8Products(PanelState &s) : Base(s) {}

  // Keys go where those of products in f32 would be; values behind what the products make of them.
  void load_block(PanelState &s, int count) {
    const int dqk = s.item.head_dim_qk, dvo = s.item.head_dim_vo;
    uint16_t *keys = reinterpret_cast<uint16_t *>(s.keys), *values = reinterpret_cast<uint16_t *>(s.values + kv_block * dvo);
    decode(s.key_rows, kv_block, dqk, keys);
    decode(s.value_rows, count, dvo, values);
    Base::load_block(s, count);
  }

 private:
  static void decode(const void **rows, int count, int dim, uint16_t *target) {
    const Fp8ToBf16<mantissa_bits> decode;
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < dim; i += 32) store(target + t * dim + i, decode(static_cast<const uint8_t *>(rows[t]) + i));
      rows[t] = target + t * dim;
    }
  }
};

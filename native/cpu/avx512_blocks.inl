// avx512_blocks.inl: blocks of 16 x 16, turned between "a row a vector" and "a column a vector". Include <immintrin.h> before, and this inside a
// namespace of its own.

// r[i] lane j -> r[j] lane i.
inline __attribute__((always_inline)) void transpose16(__m512 (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    const __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]), c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
    r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// Rows of bf16 as a panel: [(k + 31) / 32 * 16][16 rows] pairs of neighbouring k. Rows that are not there, and k from `k` on, are zeros. This is also
// how AMX wants the second operand of a product: 16 steps are a tile. row(i) -> const uint16_t *
template <typename Row>
inline void pack_pairs(const Row &row, int num_rows, int64_t k, uint32_t *panel) {
  for (int64_t at = 0; at < k; at += 32) {
    const int64_t left = k - at;
    const __mmask32 mask = left >= 32 ? 0xffffffffu : (1u << left) - 1;
    __m512 r[16];
    for (int i = 0; i < 16; i++) r[i] = i < num_rows ? _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, row(i) + at)) : _mm512_setzero_ps();
    transpose16(r);
    for (int i = 0; i < 16; i++) _mm512_storeu_ps(reinterpret_cast<float *>(panel + (at / 2 + i) * 16), r[i]);
  }
}

// Lane t of `low` and of `high` as a pair of bf16.
inline __attribute__((always_inline)) __m512i bf16_pairs(__m512 low, __m512 high) {
  alignas(64) static constexpr uint16_t order[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512bh both = _mm512_cvtne2ps_pbh(high, low);
  return _mm512_permutexvar_epi16(_mm512_load_si512(order), (__m512i)both);
}

// Four vectors of 32-bit lanes -> lane L of v[j] (of 128 bits) has lane 4 * L + j of each.
inline __attribute__((always_inline)) void transpose4(__m512i (&v)[4]) {
  const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]);
  const __m512i c = _mm512_unpacklo_epi32(v[2], v[3]), d = _mm512_unpackhi_epi32(v[2], v[3]);
  v[0] = _mm512_unpacklo_epi64(a, c);
  v[1] = _mm512_unpackhi_epi64(a, c);
  v[2] = _mm512_unpacklo_epi64(b, d);
  v[3] = _mm512_unpackhi_epi64(b, d);
}

inline __attribute__((always_inline)) void store_quarters(const __m512i (&v)[4], char *out, int64_t stride_bytes) {
  for (int j = 0; j < 4; j++) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + j * stride_bytes), _mm512_castsi512_si128(v[j]));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + (4 + j) * stride_bytes), _mm512_extracti32x4_epi32(v[j], 1));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + (8 + j) * stride_bytes), _mm512_extracti32x4_epi32(v[j], 2));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + (12 + j) * stride_bytes), _mm512_extracti32x4_epi32(v[j], 3));
  }
}

// Stores 8 outputs of 16 tokens, a vector an output, as rows of 8 outputs.
inline __attribute__((always_inline)) void store_rows_of_8(const __m512 (&sum)[8], bool is_f32, char *out, int64_t stride_bytes) {
  if (is_f32) {
    for (int half = 0; half < 2; half++) {
      __m512i v[4];
      for (int i = 0; i < 4; i++) v[i] = _mm512_castps_si512(sum[4 * half + i]);
      transpose4(v);
      store_quarters(v, out + 16 * half, stride_bytes);
    }
    return;
  }
  __m512i v[4];
  for (int i = 0; i < 4; i++) v[i] = bf16_pairs(sum[2 * i], sum[2 * i + 1]);
  transpose4(v);
  store_quarters(v, out, stride_bytes);
}

// The same where tokens or outputs are missing.
inline void store_some_rows_of_8(const __m512 (&sum)[8], bool is_f32, char *out, int64_t stride_bytes, int num_tokens, int num_outputs) {
  char rows[16 * 32];
  const int row_bytes = is_f32 ? 32 : 16, bytes = num_outputs * row_bytes / 8;
  store_rows_of_8(sum, is_f32, rows, row_bytes);
  for (int t = 0; t < num_tokens; t++) __builtin_memcpy(out + t * stride_bytes, rows + t * row_bytes, static_cast<size_t>(bytes));
}

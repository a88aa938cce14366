// model_rows.inl: inner loops in C++ that compilers turn into vector code. Sums run in `lanes` independent parts, so that they vectorise and come
// out the same however wide the vectors are. Included once by each instruction set's file, inside a namespace of its own.

#if defined(__clang__)
#pragma clang fp contract(fast)
#endif

constexpr int lanes = 16;

inline float bits_to_float(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

// Element types: how each is read and written as float.
struct F32 {
  using Storage = float;
  static float load(float value) { return value; }
  static float store(float value) { return value; }
};

struct Bf16 {
  using Storage = uint16_t;
  static float load(uint16_t bits) { return bits_to_float(static_cast<uint32_t>(bits) << 16); }
  static uint16_t store(float value) {  // to nearest even; NaN stays NaN
    const uint32_t bits = float_to_bits(value);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
    return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16 | 0x40u) : rounded);
  }
};

struct F16 {
  using Storage = uint16_t;
  static float load(uint16_t bits) {
    const uint32_t shifted = (bits & 0x7fffu) << 13;
    const uint32_t finite = float_to_bits(bits_to_float(shifted) * 0x1p112f);
    const uint32_t magnitude = (bits & 0x7c00u) == 0x7c00u ? shifted | 0x7f800000u : finite;
    return bits_to_float(magnitude | (bits & 0x8000u) << 16);
  }
  static uint16_t store(float value) {  // to nearest even; too large values become infinite
    const uint32_t bits = float_to_bits(value), magnitude = bits & 0x7fffffffu;
    const uint32_t subnormal = float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000u;
    const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13;
    uint32_t out = magnitude < 0x38800000u ? subnormal : normal;
    out = magnitude >= 0x477ff000u ? 0x7c00u : out;
    out = magnitude > 0x7f800000u ? 0x7e00u : out;
    return static_cast<uint16_t>(out | (bits >> 16 & 0x8000u));
  }
};

inline float fold(const float *part) {
  float sum = 0;
  for (int i = 0; i < lanes; i++) sum += part[i];
  return sum;
}

// The norm is taken of the residual as stored, after rounding: the next layer reads the same numbers, and the CUDA kernel does the same.
template <typename T>
void rms_norm_row(int dim, float eps, const void *x_row, void *residual_row, const void *weight_row, void *out_row, float *__restrict buffer) {
  using S = typename T::Storage;
  const S *x = static_cast<const S *>(x_row);
  const S *weight = static_cast<const S *>(weight_row);
  if (residual_row != nullptr) {
    S *residual = static_cast<S *>(residual_row);
    for (int i = 0; i < dim; i++) {
      residual[i] = T::store(T::load(residual[i]) + T::load(x[i]));
      buffer[i] = T::load(residual[i]);
    }
  } else {
    for (int i = 0; i < dim; i++) buffer[i] = T::load(x[i]);
  }
  float part[lanes] = {};
  int i = 0;
  for (; i + lanes <= dim; i += lanes) {
    for (int l = 0; l < lanes; l++) part[l] += buffer[i + l] * buffer[i + l];
  }
  for (; i < dim; i++) part[0] += buffer[i] * buffer[i];
  const float scale = 1.0f / __builtin_sqrtf(fold(part) / static_cast<float>(dim) + eps);
  S *out = static_cast<S *>(out_row);
  for (int j = 0; j < dim; j++) out[j] = T::store(buffer[j] * scale * T::load(weight[j]));
}

// e^x to about 1e-7. Cody-Waite reduction and a polynomial of degree 6; outside its range it ends at the range's ends.
inline float fast_exp(float x) {
  float clamped = x < 88.0f ? x : 88.0f;
  clamped = clamped > -87.0f ? clamped : -87.0f;
  const float whole = __builtin_floorf(clamped * 1.44269504f + 0.5f);
  const float rest = (clamped - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.38888889e-3f;
  p = p * rest + 8.33333333e-3f;
  p = p * rest + 4.16666667e-2f;
  p = p * rest + 1.66666667e-1f;
  p = p * rest + 0.5f;
  p = p * rest + 1.0f;
  p = p * rest + 1.0f;
  return p * bits_to_float(static_cast<uint32_t>(static_cast<int32_t>(whole) + 127) << 23);
}

template <typename T>
void silu_row(int dim, const void *gate_row, const void *up_row, void *out_row) {
  using S = typename T::Storage;
  const S *gate = static_cast<const S *>(gate_row), *up = static_cast<const S *>(up_row);
  S *__restrict out = static_cast<S *>(out_row);
  for (int i = 0; i < dim; i++) {
    const float z = T::load(gate[i]);
    out[i] = T::store(z / (1.0f + fast_exp(-z)) * T::load(up[i]));
  }
}

template <typename T, int num_x, int num_w>
void dot_tile(int64_t k, const typename T::Storage *x, int64_t x_stride, const typename T::Storage *w, int64_t w_stride, float *sums) {
  float part[num_x][num_w][lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= k; i += lanes) {
    for (int a = 0; a < num_x; a++) {
      for (int b = 0; b < num_w; b++) {
        for (int l = 0; l < lanes; l++) part[a][b][l] += T::load(x[a * x_stride + i + l]) * T::load(w[b * w_stride + i + l]);
      }
    }
  }
  for (; i < k; i++) {
    for (int a = 0; a < num_x; a++) {
      for (int b = 0; b < num_w; b++) part[a][b][0] += T::load(x[a * x_stride + i]) * T::load(w[b * w_stride + i]);
    }
  }
  for (int a = 0; a < num_x; a++) {
    for (int b = 0; b < num_w; b++) sums[a * 4 + b] = fold(part[a][b]);
  }
}

template <typename T>
void dot_block_of(int64_t k, const void *x_rows, int64_t x_stride, int num_x, const void *w_rows, int64_t w_stride, int num_w, float *sums) {
  using S = typename T::Storage;
  const S *x = static_cast<const S *>(x_rows), *w = static_cast<const S *>(w_rows);
  if (num_x == 4 && num_w == 4) return dot_tile<T, 4, 4>(k, x, x_stride, w, w_stride, sums);
  if (num_x == 1 && num_w == 4) return dot_tile<T, 1, 4>(k, x, x_stride, w, w_stride, sums);
  for (int a = 0; a < num_x; a++) {
    for (int b = 0; b < num_w; b++) dot_tile<T, 1, 1>(k, x + a * x_stride, x_stride, w + b * w_stride, w_stride, sums + a * 4 + b);
  }
}

void rms_norm(int dtype, int dim, float eps, const void *x, void *residual, const void *weight, void *out, float *buffer) {
  if (dtype == FP_BF16) return rms_norm_row<Bf16>(dim, eps, x, residual, weight, out, buffer);
  if (dtype == FP_F16) return rms_norm_row<F16>(dim, eps, x, residual, weight, out, buffer);
  rms_norm_row<F32>(dim, eps, x, residual, weight, out, buffer);
}

void silu_and_mul(int dtype, int dim, const void *gate, const void *up, void *out) {
  if (dtype == FP_BF16) return silu_row<Bf16>(dim, gate, up, out);
  if (dtype == FP_F16) return silu_row<F16>(dim, gate, up, out);
  silu_row<F32>(dim, gate, up, out);
}

void dot_block(int dtype, int64_t k, const void *x, int64_t x_stride, int num_x, const void *w, int64_t w_stride, int num_w, float *sums) {
  if (dtype == FP_BF16) return dot_block_of<Bf16>(k, x, x_stride, num_x, w, w_stride, num_w, sums);
  if (dtype == FP_F16) return dot_block_of<F16>(k, x, x_stride, num_x, w, w_stride, num_w, sums);
  dot_block_of<F32>(k, x, x_stride, num_x, w, w_stride, num_w, sums);
}

constexpr ModelRows table = {rms_norm, silu_and_mul, dot_block};

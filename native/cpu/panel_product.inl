// panel_product.inl: the inner loop of everything bound by arithmetic. A panel holds one vector a step, its lanes being tokens or query rows;
// each scalar of the other operand is broadcast to them, so nothing needs a transpose or a sum across lanes. Include simd.inl before.

// Panels whose sums, with `panel_outputs` outputs each, registers hold beside the operands: of 32 registers, or of 16 where a spilled one would cost
// more than three panels save.
#if FP_LANES == 16 || defined(__aarch64__)
constexpr int max_panels = 4;
#else
constexpr int max_panels = 2;
#endif
constexpr int panel_outputs = 4;

// Few panels take more outputs, or their sums would be too few to hide how long one takes.
constexpr int outputs_beside(int num_panels) { return num_panels * 8 <= max_panels * panel_outputs ? 8 : panel_outputs; }

// sum[n][p] += sum over i of panel p's vector i * b[n * b_row + i * b_step]
template <int num_panels, int num_outputs>
FP_INLINE void panel_product(const float *a, int64_t panel_stride, const float *b, int64_t b_row, int64_t b_step, int64_t steps, Floats (&sum)[num_outputs][num_panels]) {
  for (int64_t i = 0; i < steps; i++) {
    Floats x[num_panels];
    for (int p = 0; p < num_panels; p++) x[p] = load<Floats>(a + p * panel_stride + i * lanes);
    for (int n = 0; n < num_outputs; n++) {
      const Floats y = all(b[n * b_row + i * b_step]);
      for (int p = 0; p < num_panels; p++) sum[n][p] += x[p] * y;
    }
  }
}

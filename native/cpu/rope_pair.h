// rope_pair.h: rotating one head in place, shared by RoPE and by the append that rotates keys on the way in. For baseline files.
#pragma once
#include <cmath>
#include <cstdint>

namespace fp::cpu {

// Rotates pairs (2i, 2i + 1) or (i, i + rotary_dim / 2) of `head` by angle i. cos and sin: [rotary_dim / 2].
inline void rotate_head(float *head, int rotary_dim, bool interleaved, const float *cosines, const float *sines) {
  const int half = rotary_dim / 2;
  const int step = interleaved ? 2 : 1, apart = interleaved ? 1 : half;
  for (int i = 0; i < half; i++) {
    float &a = head[i * step], &b = head[i * step + apart];
    const float x = a, y = b;
    a = x * cosines[i] - y * sines[i];
    b = y * cosines[i] + x * sines[i];
  }
}

// The angle is reduced in f64: a position of 10^6 times a frequency has too few bits left in f32.
inline void angles_at(int position, const float *inv_freq, int half, float *cosines, float *sines) {
  for (int i = 0; i < half; i++) {
    const double angle = static_cast<double>(position) * inv_freq[i];
    cosines[i] = static_cast<float>(std::cos(angle));
    sines[i] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace fp::cpu

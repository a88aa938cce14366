// rope_angle.cuh: the rotation of a position, accurate however large the position is.
#pragma once
#include "parts/types.cuh"

namespace fp {

// Cosine (x) and sine (y) of position * inv_freq radians. The product and its whole turns are taken in f64, where a position of 2^31
// leaves 22 bits behind the point; once a (token, pair), for all heads. 1 / (2 pi) is the sum of two doubles.
__device__ __forceinline__ float2 rope_rotation(i32 position, float inv_freq) {
  constexpr double kTurn = 0.15915494309189535;
  constexpr double kTurnRest = -9.839338337591243e-18;
  const double angle = static_cast<double>(position) * static_cast<double>(inv_freq);
  const double whole = rint(angle * kTurn);
  const double part = fma(angle, kTurnRest, fma(angle, kTurn, -whole));
  float2 rotation;
  sincospif(static_cast<float>(2.0 * part), &rotation.y, &rotation.x);
  return rotation;
}

// The pair (a, b) turned by a rotation.
__device__ __forceinline__ void rotate(float &a, float &b, float2 rotation) {
  const float x = a, y = b;
  a = x * rotation.x - y * rotation.y;
  b = y * rotation.x + x * rotation.y;
}

// Rotates kCount neighbouring pairs: (first[j], second[j]) apart, or interleaved in the two packs in turn.
template <int kCount>
__device__ __forceinline__ void rotate_packs(float (&first)[kCount], float (&second)[kCount], const float2 *rotations, bool interleaved) {
  if (kCount > 1 && interleaved) {
#pragma unroll
    for (int j = 0; j + 1 < kCount; j += 2) {
      rotate(first[j], first[j + 1], rotations[j / 2]);
      rotate(second[j], second[j + 1], rotations[(kCount + j) / 2]);
    }
  } else {
#pragma unroll
    for (int j = 0; j < kCount; ++j) rotate(first[j], second[j], rotations[j]);
  }
}

}  // namespace fp

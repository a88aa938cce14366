// tiles.h: AMX's tile instructions in plain C++, for processors without them: build.ts puts it before the AMX files. Only the shapes they use, tiles
// of 16 rows of 64 bytes; anything else, and a tile used while none are configured, ends the process.
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace amx_emulation {

constexpr int num_tiles = 8, rows = 16, row_bytes = 64;

struct State {
  bool is_configured = false;
  uint8_t tiles[num_tiles][rows][row_bytes];
};

inline State &state() {
  static thread_local State of_thread;
  return of_thread;
}

inline uint8_t (*tile(int index))[row_bytes] {
  if (!state().is_configured || index < 0 || index >= num_tiles) abort();
  return state().tiles[index];
}

// The 64 bytes that ldtilecfg reads: palette, start row, 14 reserved, 16 x u16 bytes a row, 16 x u8 rows.
inline void load_config(const void *config) {
  const uint8_t *bytes = static_cast<const uint8_t *>(config);
  if (bytes[0] != 1 || bytes[1] != 0) abort();
  for (int i = 0; i < num_tiles; i++) {
    uint16_t width;
    memcpy(&width, bytes + 16 + 2 * i, 2);
    if (width != row_bytes || bytes[48 + i] != rows) abort();
  }
  state() = State{};
  state().is_configured = true;
}

inline void release() {
  tile(0);
  state().is_configured = false;
}

inline void zero(int target) { memset(tile(target), 0, rows * row_bytes); }

inline void load(int target, const void *source, int64_t stride) {
  for (int r = 0; r < rows; r++) memcpy(tile(target)[r], static_cast<const char *>(source) + r * stride, row_bytes);
}

inline void store(int source, void *target, int64_t stride) {
  for (int r = 0; r < rows; r++) memcpy(static_cast<char *>(target) + r * stride, tile(source)[r], row_bytes);
}

inline float widened(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

// c[m][n] += a[m][2k] * b[k][2n] + a[m][2k + 1] * b[k][2n + 1]
inline void multiply(int c, int a, int b) {
  for (int m = 0; m < rows; m++) {
    for (int n = 0; n < rows; n++) {
      float sum;
      memcpy(&sum, &tile(c)[m][4 * n], 4);
      for (int k = 0; k < rows; k++) {
        uint16_t x[2], y[2];
        memcpy(x, &tile(a)[m][4 * k], 4);
        memcpy(y, &tile(b)[k][4 * n], 4);
        sum += widened(x[0]) * widened(y[0]);
        sum += widened(x[1]) * widened(y[1]);
      }
      memcpy(&tile(c)[m][4 * n], &sum, 4);
    }
  }
}

}  // namespace amx_emulation

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(config) amx_emulation::load_config(config)
#define _tile_release() amx_emulation::release()
#define _tile_zero(target) amx_emulation::zero(target)
#define _tile_loadd(target, source, stride) amx_emulation::load(target, source, stride)
#define _tile_stored(source, target, stride) amx_emulation::store(source, target, stride)
#define _tile_dpbf16ps(c, a, b) amx_emulation::multiply(c, a, b)

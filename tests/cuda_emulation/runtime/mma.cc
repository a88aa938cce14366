// mma.cc: ldmatrix and mma.sync. The fragments are described in native/cuda/ptx/mma_sm80.cuh.
#include <cstring>

#include "cta.h"
#include "half.h"

namespace emulation {
namespace {

struct LoadLane {
  u32 *r;
  u32 address;
  const Site *site;
};

// Lane i gives the address of row i % 8 of matrix i / 8, and gets two neighbours of row lane / 4; transposed, of column lane / 4.
template <bool kTransposed>
void load_matrices(void *const *lanes, u32) {
  const Cta &cta = *self().cta;
  u16 rows[32][8];
  for (int i = 0; i < 32; ++i) {
    const auto &lane = *static_cast<const LoadLane *>(lanes[i]);
    if (lane.address % 16 != 0) fail(*lane.site, "ldmatrix from %u: not a multiple of 16", lane.address);
    std::memcpy(rows[i], cta.shared_at(lane.address, 16, *lane.site), 16);
    check_seen(cta, lane.address, *lane.site);
  }
  for (int i = 0; i < 32; ++i) {
    u32 *r = static_cast<const LoadLane *>(lanes[i])->r;
    const int g = i / 4, t = i % 4 * 2;
    for (int m = 0; m < 4; ++m) {
      const u16 low = kTransposed ? rows[8 * m + t][g] : rows[8 * m + g][t];
      const u16 high = kTransposed ? rows[8 * m + t + 1][g] : rows[8 * m + g][t + 1];
      r[m] = static_cast<u32>(high) << 16 | low;
    }
  }
}

struct MmaLane {
  float *c;
  const u32 *a;
  u32 b[2];
};

template <Half kType>
void multiply(void *const *lanes, u32) {
  float a[16][16], b[16][8], c[16][8];
  for (int i = 0; i < 32; ++i) {
    const auto &lane = *static_cast<const MmaLane *>(lanes[i]);
    const int g = i / 4, t = i % 4 * 2;
    for (int e = 0; e < 2; ++e) {
      for (int j = 0; j < 4; ++j) a[g + j % 2 * 8][t + j / 2 * 8 + e] = half_to_float<kType>(static_cast<u16>(lane.a[j] >> 16 * e));
      for (int j = 0; j < 2; ++j) b[t + 8 * j + e][g] = half_to_float<kType>(static_cast<u16>(lane.b[j] >> 16 * e));
      for (int j = 0; j < 2; ++j) c[g + 8 * j][t + e] = lane.c[2 * j + e];
    }
  }
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < 16; ++k) {
      for (int n = 0; n < 8; ++n) c[m][n] += a[m][k] * b[k][n];
    }
  }
  for (int i = 0; i < 32; ++i) {
    float *to = static_cast<const MmaLane *>(lanes[i])->c;
    const int g = i / 4, t = i % 4 * 2;
    for (int j = 0; j < 4; ++j) to[j] = c[g + j / 2 * 8][t + j % 2];
  }
}

constexpr u32 all_lanes = 0xffffffffu;

}  // namespace

void ldmatrix_x4(u32 (&r)[4], u32 address, bool transposed, const Site &site) {
  LoadLane lane{r, address, &site};
  warp_collective("ldmatrix", all_lanes, &lane, transposed ? load_matrices<true> : load_matrices<false>, site);
}

void mma_m16n8k16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, Half type, const Site &site) {
  MmaLane lane{c, a, {b0, b1}};
  warp_collective("mma.sync", all_lanes, &lane, type == Half::bf16 ? multiply<Half::bf16> : multiply<Half::f16>, site);
}

}  // namespace emulation

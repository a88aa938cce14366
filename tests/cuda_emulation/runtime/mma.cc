// mma.cc: ldmatrix, stmatrix and mma.sync. The fragments are described in native/cuda/ptx/mma_sm80.cuh and mma_fp8_sm89.cuh.
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

// The fragments of m16n8k16, and of m16n8k32 with bytes: a word is so many neighbours along k.
template <Format kType>
void multiply(void *const *lanes, u32) {
  constexpr int kNeighbours = elements_of_word<kType>, kDepth = 8 * kNeighbours;
  float a[16][kDepth], b[kDepth][8], c[16][8];
  for (int i = 0; i < 32; ++i) {
    const auto &lane = *static_cast<const MmaLane *>(lanes[i]);
    const int g = i / 4, t = i % 4;
    for (int e = 0; e < kNeighbours; ++e) {
      for (int j = 0; j < 4; ++j) a[g + j % 2 * 8][(t + j / 2 * 4) * kNeighbours + e] = element_of<kType>(lane.a[j], e);
      for (int j = 0; j < 2; ++j) b[(t + 4 * j) * kNeighbours + e][g] = element_of<kType>(lane.b[j], e);
    }
    for (int e = 0; e < 2; ++e) {
      for (int j = 0; j < 2; ++j) c[g + 8 * j][2 * t + e] = lane.c[2 * j + e];
    }
  }
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < kDepth; ++k) {
      for (int n = 0; n < 8; ++n) c[m][n] += a[m][k] * b[k][n];
    }
  }
  for (int i = 0; i < 32; ++i) {
    float *to = static_cast<const MmaLane *>(lanes[i])->c;
    const int g = i / 4, t = i % 4 * 2;
    for (int j = 0; j < 4; ++j) to[j] = c[g + j / 2 * 8][t + j % 2];
  }
}

struct StoreLane {
  u32 address;
  const u32 *r;
  const Site *site;
};

// Lane i gives the address of row i % 8 of matrix i / 8, and two neighbours of row i / 4 of each matrix.
void store_matrices(void *const *lanes, u32) {
  const Cta &cta = *self().cta;
  for (int i = 0; i < 32; ++i) {
    const auto &row = *static_cast<const StoreLane *>(lanes[i]);
    if (row.address % 16 != 0) fail(*row.site, "stmatrix to %u: not a multiple of 16", row.address);
    unsigned char *to = cta.shared_at(row.address, 16, *row.site);
    for (int t = 0; t < 4; ++t) std::memcpy(to + 4 * t, &static_cast<const StoreLane *>(lanes[i % 8 * 4 + t])->r[i / 8], 4);
  }
}

constexpr u32 all_lanes = 0xffffffffu;

}  // namespace

void ldmatrix_x4(u32 (&r)[4], u32 address, bool transposed, const Site &site) {
  LoadLane lane{r, address, &site};
  warp_collective("ldmatrix", all_lanes, &lane, transposed ? load_matrices<true> : load_matrices<false>, site);
}

void mma_m16n8k16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, Format type, const Site &site) {
  MmaLane lane{c, a, {b0, b1}};
  warp_collective("mma.sync", all_lanes, &lane, type == Format::bf16 ? multiply<Format::bf16> : multiply<Format::f16>, site);
}

void mma_m16n8k32_e4m3(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, const Site &site) {
  MmaLane lane{c, a, {b0, b1}};
  warp_collective("mma.sync", all_lanes, &lane, multiply<Format::e4m3>, site);
}

void stmatrix_x4(u32 address, const u32 (&r)[4], const Site &site) {
  StoreLane lane{address, r, &site};
  warp_collective("stmatrix", all_lanes, &lane, store_matrices, site);
}

}  // namespace emulation

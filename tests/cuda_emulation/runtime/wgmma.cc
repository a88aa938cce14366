// wgmma.cc: products of a warpgroup. A warp computes its 16 rows of a group of products when it waits for the group, with shared memory and
// registers as they are then; or early, when it has committed the group: nothing says that the other warps have issued theirs by then.
#include <cstring>
#include <vector>

#include "cta.h"
#include "half.h"
#include "launch.h"

namespace emulation {
namespace {

constexpr u32 all_lanes = 0xffffffffu;
constexpr int max_columns = 256;
constexpr const char *others_products = "products of the other warps";

// PTX ISA, "Matrix Descriptor Format".
struct Operand {
  u32 address;
  u32 leading;  // bytes
  u32 stride;
  u32 row_bytes;  // of a swizzle atom, which has eight rows

  explicit Operand(u64 descriptor)
      : address(static_cast<u32>(descriptor & 0x3fff) << 4),
        leading(static_cast<u32>(descriptor >> 16 & 0x3fff) << 4),
        stride(static_cast<u32>(descriptor >> 32 & 0x3fff) << 4),
        row_bytes(descriptor >> 62 == 1 ? 128 : descriptor >> 62 == 2 ? 64 : descriptor >> 62 == 3 ? 32 : 0) {}

  // 16 bytes of neighbours: chunk `chunk` of row `row`. Rows come in groups of eight, `stride` apart; in a group, columns beyond an atom's `leading` apart.
  void read(const Cta &cta, u32 row, u32 chunk, u32 (&to)[4], const Site &site) const {
    const u32 chunks = row_bytes / 16;
    u32 at = address + row / 8 * stride + chunk / chunks * leading + row % 8 * row_bytes + chunk % chunks * 16;
    at ^= (at >> 7 & (chunks - 1)) << 4;
    std::memcpy(to, cta.shared_at(at, 16, site), 16);
  }
};

// Along k a product takes 32 bytes; so many elements.
template <Format kType>
constexpr int depth_of = 8 * elements_of_word<kType>;
constexpr int max_depth = 32;

// Element i of 16 bytes.
template <Format kType>
float element_of_chunk(const u32 (&chunk)[4], int i) {
  return element_of<kType>(chunk[i / elements_of_word<kType>], i % elements_of_word<kType>);
}

// B as rows of k.
template <Format kType>
void read_b(const Cta &cta, const WgmmaCall &call, float (*b)[max_columns], const Site &site) {
  constexpr int kNeighbours = 4 * elements_of_word<kType>;
  const Operand operand(call.b_descriptor);
  u32 values[4];
  if (call.transposed_b) {
    for (int k = 0; k < depth_of<kType>; ++k) {
      for (int n = 0; n < call.columns; n += kNeighbours) {
        operand.read(cta, static_cast<u32>(k), static_cast<u32>(n / kNeighbours), values, site);
        for (int i = 0; i < kNeighbours; ++i) b[k][n + i] = element_of_chunk<kType>(values, i);
      }
    }
  } else {
    for (int n = 0; n < call.columns; ++n) {
      for (int k = 0; k < depth_of<kType>; k += kNeighbours) {
        operand.read(cta, static_cast<u32>(n), static_cast<u32>(k / kNeighbours), values, site);
        for (int i = 0; i < kNeighbours; ++i) b[k + i][n] = element_of_chunk<kType>(values, i);
      }
    }
  }
}

// This warp's 16 rows of A.
template <Format kType>
void read_a(const Cta &cta, u32 warp_of_group, const WgmmaCall *lanes, float (&a)[16][max_depth], const Site &site) {
  constexpr int kOfWord = elements_of_word<kType>;
  if (!lanes[0].a) {
    const Operand operand(lanes[0].a_descriptor);
    u32 values[4];
    for (u32 row = 0; row < 16; ++row) {
      for (u32 chunk = 0; chunk < 2; ++chunk) {
        operand.read(cta, warp_of_group * 16 + row, chunk, values, site);
        for (int i = 0; i < 4 * kOfWord; ++i) a[row][static_cast<int>(chunk) * 4 * kOfWord + i] = element_of_chunk<kType>(values, i);
      }
    }
    return;
  }
  for (int i = 0; i < 32; ++i) {
    const int g = i / 4, t = i % 4;
    for (int j = 0; j < 4; ++j) {
      for (int e = 0; e < kOfWord; ++e) a[g + j % 2 * 8][(t + j / 2 * 4) * kOfWord + e] = element_of<kType>(lanes[i].a[j], e);
    }
  }
}

template <Format kType>
void multiply(const Cta &cta, u32 warp_of_group, const WgmmaCall *lanes, const Site &site) {
  static float b[max_depth][max_columns];
  float a[16][max_depth];
  const int columns = lanes[0].columns;
  read_a<kType>(cta, warp_of_group, lanes, a, site);
  read_b<kType>(cta, lanes[0], b, site);
  for (int row = 0; row < 16; ++row) {
    // Of the four lanes that have this row, t has the columns 8 j + 2 t and the one beside it.
    float d[max_columns];
    const int first = row % 8 * 4, half = row / 8 * 2;
    for (int n = 0; n < columns; ++n) d[n] = lanes[0].accumulates ? lanes[first + n % 8 / 2].d[n / 8 * 4 + half + n % 2] : 0.f;
    for (int k = 0; k < depth_of<kType>; ++k) {
      for (int n = 0; n < columns; ++n) d[n] += a[row][k] * b[k][n];
    }
    for (int n = 0; n < columns; ++n) lanes[first + n % 8 / 2].d[n / 8 * 4 + half + n % 2] = d[n];
  }
}

constexpr auto multiply_of(Format type) {
  return type == Format::bf16 ? multiply<Format::bf16> : type == Format::f16 ? multiply<Format::f16> : multiply<Format::e4m3>;
}

void perform(const Cta &cta, Warp &warp, ProductGroup &group, const Site &site) {
  if (group.done) return;
  group.done = true;
  for (size_t i = 0; i < group.calls.size(); i += 32) {
    multiply_of(group.calls[i].type)(cta, warp.index % 4, &group.calls[i], site);
  }
}

Warp *warpgroup_of(Cta &cta, const Warp &warp) { return &cta.warps[warp.index / 4 * 4]; }

// All four warps have committed group `number`.
bool is_issued(Cta &cta, const Warp &warp, u64 number) {
  const Warp *group = warpgroup_of(cta, warp);
  for (int i = 0; i < 4; ++i) {
    if (group[i].end_group() <= number) return false;
  }
  return true;
}

bool same_product(const WgmmaCall &x, const WgmmaCall &y) {
  return x.columns == y.columns && x.type == y.type && x.transposed_b == y.transposed_b && x.accumulates == y.accumulates && (x.a == nullptr) == (y.a == nullptr) &&
         (x.a != nullptr || x.a_descriptor == y.a_descriptor) && x.b_descriptor == y.b_descriptor;
}

// All four warps have committed group `number`: it must be the same products. Wakes those that wait for that.
void check_warps_agree(Cta &cta, const Warp &warp, u64 number, const Site &site) {
  Warp *four = warpgroup_of(cta, warp);
  for (int w = 0; w < 4; ++w) {
    // Another warp may be ahead, but it waits for this group no earlier than now.
    const ProductGroup &other = four[w].groups[number - four[w].first_group];
    const ProductGroup &own = warp.groups[number - warp.first_group];
    bool same = other.calls.size() == own.calls.size();
    for (size_t i = 0; same && i < own.calls.size(); i += 32) same = same_product(own.calls[i], other.calls[i]);
    if (!same) fail(site, "warps %u and %u have issued different products", warp.index, four[w].index);
    for (Thread *thread : four[w].threads) {
      if (thread->waits_for == others_products) cta.wake(*thread);
    }
  }
}

struct CommitLane {
  std::vector<WgmmaCall> *products;
  const Site *site;
};

// Makes one group of what the lanes issued.
void commit(void *const *lanes, u32) {
  Thread &me = self();
  Cta &cta = *me.cta;
  Warp &warp = *me.warp;
  const auto &mine = *static_cast<const CommitLane *>(lanes[me.lane]);
  const size_t count = mine.products->size();
  ProductGroup group;
  group.calls.reserve(count * 32);
  for (size_t i = 0; i < count; ++i) {
    for (int lane = 0; lane < 32; ++lane) {
      const std::vector<WgmmaCall> &other = *static_cast<const CommitLane *>(lanes[lane])->products;
      if (other.size() != count || !same_product(other[i], (*mine.products)[i])) fail(*mine.site, "lanes %u and %d have issued different products", me.lane, lane);
      group.calls.push_back(other[i]);
    }
  }
  for (int lane = 0; lane < 32; ++lane) static_cast<const CommitLane *>(lanes[lane])->products->clear();
  const u64 number = warp.end_group();
  warp.groups.push_back(std::move(group));
  const bool early = cta.launch->asynchrony == Asynchrony::early || (cta.launch->asynchrony == Asynchrony::mixed && cta.random.coin());
  for (ProductGroup &before : warp.groups) {
    if (early) perform(cta, warp, before, *mine.site);
  }
  if (is_issued(cta, warp, number)) check_warps_agree(cta, warp, number, *mine.site);
}

struct WaitLane {
  u64 end;  // groups before this one must be done
  const Site *site;
};

void finish(void *const *lanes, u32) {
  Thread &me = self();
  const auto &mine = *static_cast<const WaitLane *>(lanes[me.lane]);
  Warp &warp = *me.warp;
  while (warp.first_group < mine.end) {
    perform(*me.cta, warp, warp.groups.front(), *mine.site);
    warp.groups.pop_front();
    ++warp.first_group;
  }
}

}  // namespace

void wgmma_fence() { self().is_fenced = true; }

void wgmma_issue(const WgmmaCall &call, const Site &site) {
  Thread &me = self();
  if (!me.is_fenced) fail(site, "wgmma without wgmma.fence since the last wait for products");
  if (Operand(call.b_descriptor).row_bytes == 0) fail(site, "wgmma with a descriptor without swizzle, which is not emulated");
  me.products.push_back(call);
  me.site = site;
}

void wgmma_commit(const Site &site) {
  CommitLane lane{&self().products, &site};
  warp_collective("wgmma.commit_group", all_lanes, &lane, commit, site);
}

void wgmma_wait(u32 num_pending, const Site &site) {
  Thread &me = self();
  Warp &warp = *me.warp;
  const u64 end = warp.end_group() > num_pending ? warp.end_group() - num_pending : 0;
  while (end > 0 && end > warp.first_group && !is_issued(*me.cta, warp, end - 1)) me.cta->block(me, others_products, no_number, site);
  WaitLane lane{end, &site};
  warp_collective("wgmma.wait_group", all_lanes, &lane, finish, site);
  me.is_fenced = false;
}

}  // namespace emulation

// roofline.cc: what the machine itself can do, beside which the benchmarks put their numbers. Prints one line of JSON: GB/s of a read-sum over
// memory that no cache holds, and GFLOP/s of multiply-adds that never leave the registers, on all threads at once; each the best of several.
//
//   roofline [threads]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

// Runs task(thread) on all threads and returns seconds, the best of `tries`.
template <typename Task>
double best_seconds(int threads, int tries, const Task &task) {
  double best = 1e30;
  for (int i = 0; i < tries; i++) {
    const auto start = Clock::now();
    std::vector<std::thread> others;
    for (int t = 1; t < threads; t++) others.emplace_back([&task, t] { task(t); });
    task(0);
    for (std::thread &other : others) other.join();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

volatile uint64_t sink;

typedef uint64_t words8 __attribute__((vector_size(64)));

double read_gigabytes_a_second(int threads) {
  const size_t bytes = size_t{512} << 20, share = bytes / threads / 4096 * 4096;
  char *memory = static_cast<char *>(aligned_alloc(size_t{2} << 20, bytes));
#if defined(__linux__)
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  memset(memory, 1, bytes);
  const double seconds = best_seconds(threads, 8, [&](int thread) {
    const words8 *at = reinterpret_cast<const words8 *>(memory + share * thread), *end = at + share / sizeof(words8);
    words8 sums[4] = {};
    for (; at < end; at += 4) {
      for (int i = 0; i < 4; i++) sums[i] += at[i];
    }
    const words8 sum = sums[0] + sums[1] + sums[2] + sums[3];
    sink = sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
  });
  free(memory);
  return static_cast<double>(share) * threads / seconds * 1e-9;
}

constexpr int chains = 16;  // independent sums: more than latency x issue width
constexpr int64_t rounds = 4'000'000;

#if defined(__x86_64__)

#if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ < 22
#define WIDE ",evex512"
#else
#define WIDE ""
#endif

__attribute__((target("avx2,fma"))) void fma_avx2(int64_t count) {
  __m256 sums[chains], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
  for (int i = 0; i < 12; i++) sums[i] = a;
  for (int64_t r = 0; r < count; r++) {
    for (int i = 0; i < 12; i++) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  }
  for (int i = 0; i < 12; i++) sink = static_cast<uint64_t>(_mm256_cvtss_f32(sums[i]));
}

__attribute__((target("avx512f" WIDE))) void fma_avx512(int64_t count) {
  __m512 sums[chains], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
  for (int i = 0; i < chains; i++) sums[i] = a;
  for (int64_t r = 0; r < count; r++) {
    for (int i = 0; i < chains; i++) sums[i] = _mm512_fmadd_ps(sums[i], a, b);
  }
  for (int i = 0; i < chains; i++) sink = static_cast<uint64_t>(_mm512_cvtss_f32(sums[i]));
}

__attribute__((target("avx512f,avx512bf16" WIDE))) void dot_avx512(int64_t count) {
  __m512 sums[chains];
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3c00);
  for (int i = 0; i < chains; i++) sums[i] = _mm512_setzero_ps();
  for (int64_t r = 0; r < count; r++) {
    for (int i = 0; i < chains; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
  }
  for (int i = 0; i < chains; i++) sink = static_cast<uint64_t>(_mm512_cvtss_f32(sums[i]));
}

__attribute__((target("amx-tile,amx-bf16"))) void dot_amx(int64_t count) {
  struct alignas(64) {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  for (int i = 0; i < 8; i++) {
    config.row_bytes[i] = 64;
    config.rows[i] = 16;
  }
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int64_t r = 0; r < count; r++) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
}

// Bit `bit` of register `reg` (eax 0, ebx 1, ecx 2, edx 3). The system's support of the wide registers is taken for granted.
bool cpuid_has(unsigned leaf, unsigned subleaf, int reg, int bit) {
  unsigned r[4];
  asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(subleaf));
  return (r[reg] >> bit & 1) != 0;
}

bool has_avx2() { return cpuid_has(1, 0, 2, 12) && cpuid_has(7, 0, 1, 5); }
bool has_avx512_bf16() { return cpuid_has(7, 0, 1, 16) && cpuid_has(7, 1, 0, 5); }

bool has_amx() {
#if defined(__linux__)
  constexpr long request_permission = 0x1023, tile_data = 18;
  return cpuid_has(7, 0, 3, 22) && cpuid_has(7, 0, 3, 24) && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

#else

typedef float floats4 __attribute__((vector_size(16)));

void fma_128(int64_t count) {
  floats4 sums[chains], a = {0.999f, 0.999f, 0.999f, 0.999f}, b = {1e-3f, 1e-3f, 1e-3f, 1e-3f};
  for (int i = 0; i < chains; i++) sums[i] = a;
  for (int64_t r = 0; r < count; r++) {
    for (int i = 0; i < chains; i++) sums[i] = sums[i] * a + b;
  }
  for (int i = 0; i < chains; i++) sink = static_cast<uint64_t>(sums[i][0]);
}

#endif

}  // namespace

int main(int argc, char **argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  printf("{\"threads\":%d,\"readGBps\":%.2f", threads, read_gigabytes_a_second(threads));
  const auto peak = [&](const char *name, int64_t count, double flops_a_round, void (*function)(int64_t)) {
    const double seconds = best_seconds(threads, 5, [&](int) { function(count); });
    printf(",\"%s\":%.1f", name, flops_a_round * count * threads / seconds * 1e-9);
  };
#if defined(__x86_64__)
  if (has_avx2()) peak("avx2F32", rounds, 12 * 16, fma_avx2);
  if (has_avx512_bf16()) {
    peak("avx512F32", rounds, chains * 32, fma_avx512);
    peak("avx512Bf16", rounds, chains * 64, dot_avx512);
  }
  if (has_amx()) peak("amxBf16", rounds / 8, 4.0 * 16 * 16 * 32 * 2, dot_amx);
#else
  peak("neonF32", rounds, chains * 8, fma_128);
#endif
  printf("}\n");
  return 0;
}

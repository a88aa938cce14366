// device_api.h: what emulated kernels ask of the runtime. The kernels' side (kernel_side/) is written in terms of this and includes nothing else of it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <source_location>

namespace emulation {

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// Where in a kernel a call stands. As a default argument it is the caller's place.
using Site = std::source_location;

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

// What a CUDA thread can read about itself.
struct ThreadView {
  Index3 thread, block, block_dim, grid_dim;
};

// The CUDA thread that is running. Only one of a process runs at a time.
extern ThreadView *current;

// A collective of the lanes in `mask`: all must come to the same site with the same mask. The last to come does `work` for all; lanes[i] is what lane i gave.
using WarpWork = void (*)(void *const *lanes, u32 mask);
void warp_collective(const char *name, u32 mask, void *lane, WarpWork work, const Site &site);

// The same for __syncwarp, which besides orders the lanes' memory accesses.
void warp_barrier(u32 mask, const Site &site);

// Barrier `id` of the CTA; num_threads 0: all of the CTA's threads that have not ended.
void cta_barrier(u32 id, u32 num_threads, const Site &site);

// After an atomic operation: lets threads of other CTAs run.
void after_atomic();

// A clock of the device, and the SM that the running thread's CTA is on.
u64 nanoseconds();
u32 multiprocessor();

// Shared memory as instructions address it.
u32 shared_address(const void *pointer, const Site &site);

void mbarrier_init(u32 barrier, u32 num_arrivals, const Site &site);
void mbarrier_arrive(u32 barrier, u32 expected_bytes, const Site &site);
void mbarrier_wait(u32 barrier, u32 parity, const Site &site);

// 4 or 16 bytes; if not `valid`, zeros.
void cp_async(u32 target, const void *source, u32 num_bytes, bool valid, const Site &site);
void cp_async_commit();
void cp_async_wait(u32 num_pending, const Site &site);
void cp_async_arrive(u32 barrier, const Site &site);

void tma_load_5d(u32 target, const void *map, const int (&coordinates)[5], u32 barrier, const Site &site);

void ldmatrix_x4(u32 (&r)[4], u32 address, bool transposed, const Site &site);

void stmatrix_x4(u32 address, const u32 (&r)[4], const Site &site);

// How the elements of matrices are meant: of 16 bits, or bytes.
enum class Format { bf16, f16, e4m3 };

void mma_m16n8k16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, Format type, const Site &site);

void mma_m16n8k32_e4m3(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, const Site &site);

// A warpgroup's product: D (64 x columns) += A (64 x k) . B (k x columns), where k are 32 bytes.
struct WgmmaCall {
  int columns;
  Format type;
  bool transposed_b;  // B's rows in shared memory are k
  bool accumulates;
  float *d;
  const u32 *a;  // four words, or null: in shared memory
  u64 a_descriptor;
  u64 b_descriptor;
};
void wgmma_fence();
void wgmma_issue(const WgmmaCall &call, const Site &site);
void wgmma_commit(const Site &site);
void wgmma_wait(u32 num_pending, const Site &site);

// Ends the launch: prints the message with the kernel, the CTA and the thread.
[[noreturn]] void fail(const Site &site, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A kernel as the driver finds it. `call` calls it with a copy of its one parameter.
struct KernelEntry {
  const char *name;
  void (*call)(void (*kernel)(), const void *parameter);
  void (*kernel)();
  size_t parameter_bytes;
};

// What a library of kernels tells about itself when it is loaded.
struct KernelLibrary {
  const KernelEntry *const *kernels;
  size_t num_kernels;
  unsigned char *(*dynamic_shared)();  // of the calling OS thread
  size_t max_dynamic_shared;
};

}  // namespace emulation

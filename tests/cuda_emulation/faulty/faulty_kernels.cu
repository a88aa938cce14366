// faulty_kernels.cu: one mistake each, of the kinds that the emulation must find. One CTA of 128 threads: thread i gives out[i].
#include "faulty_params.h"
#include "ptx/barrier.cuh"
#include "ptx/cp_async.cuh"
#include "ptx/mbarrier.cuh"
#include "ptx/mma_sm80.cuh"
#include "ptx/warpgroup.cuh"
#include "ptx/wgmma_sm90.cuh"

namespace fp {

struct FaultyShared {
  alignas(1024) u32 tile[faulty_threads * 4];
  alignas(1024) u32 other[faulty_threads * 4];
  u64 full;
};

__device__ __forceinline__ FaultyShared &faulty_shared() {
  extern __shared__ __align__(1024) u8 shared_memory[];
  return *reinterpret_cast<FaultyShared *>(shared_memory);
}

// Thread i's 16 bytes of `in`, to its place in the tile.
__device__ __forceinline__ void copy_mine(const FaultyParams &p, u32 *tile) {
  ptx::cp_async_16(ptx::shared_address(tile + threadIdx.x * 4), p.in + threadIdx.x * 4);
}

__device__ __forceinline__ u32 of_neighbour(const u32 *tile) { return tile[(threadIdx.x + 1) % faulty_threads * 4]; }

}  // namespace fp

#define FP_FAULTY(name) extern "C" __global__ void __launch_bounds__(fp::faulty_threads) name(const __grid_constant__ fp::FaultyParams p)

// out[i] = in[4 (i + 1)], as it should be done.
FP_FAULTY(no_fault) {
  fp::FaultyShared &shared = fp::faulty_shared();
  fp::copy_mine(p, shared.tile);
  fp::ptx::cp_async_commit();
  fp::ptx::cp_async_wait<0>();
  __syncthreads();
  p.out[threadIdx.x] = fp::of_neighbour(shared.tile);
}

FP_FAULTY(copies_not_waited_for) {
  fp::FaultyShared &shared = fp::faulty_shared();
  fp::copy_mine(p, shared.tile);
  fp::ptx::cp_async_commit();
  fp::copy_mine(p, shared.other);
  fp::ptx::cp_async_commit();
  fp::ptx::cp_async_wait<1>();
  __syncthreads();
  p.out[threadIdx.x] = fp::of_neighbour(shared.other);
  fp::ptx::cp_async_wait<0>();
}

FP_FAULTY(copies_left_at_the_end) {
  fp::copy_mine(p, fp::faulty_shared().tile);
  fp::ptx::cp_async_commit();
}

FP_FAULTY(no_barrier) {
  fp::FaultyShared &shared = fp::faulty_shared();
  shared.tile[threadIdx.x * 4] = p.in[threadIdx.x * 4];
  p.out[threadIdx.x] = fp::of_neighbour(shared.tile);
}

// A warp reads the tile while a faster one writes the next into it.
FP_FAULTY(slot_reused_too_soon) {
  fp::FaultyShared &shared = fp::faulty_shared();
  fp::copy_mine(p, shared.tile);
  fp::ptx::cp_async_commit();
  fp::ptx::cp_async_wait<0>();
  __syncthreads();
  fp::ptx::cp_async_16_or_zero(fp::ptx::shared_address(shared.tile + threadIdx.x * 4), p.in, false);
  fp::ptx::cp_async_commit();
  p.out[threadIdx.x] = fp::of_neighbour(shared.tile);
  fp::ptx::cp_async_wait<0>();
}

// Each lane has waited for its own copies, and reads those of others.
FP_FAULTY(copies_of_others) {
  fp::FaultyShared &shared = fp::faulty_shared();
  fp::copy_mine(p, shared.tile);
  fp::ptx::cp_async_commit();
  fp::ptx::cp_async_wait<0>();
  fp::u32 r[4];
  fp::ptx::ldmatrix_x4(r, fp::ptx::shared_address(shared.tile + threadIdx.x * 4));
  p.out[threadIdx.x] = r[0];
}

FP_FAULTY(lanes_differ) {
  if (threadIdx.x % 32 < 16) {
    __syncwarp();
  } else {
    p.out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, p.in[0], 1);
  }
}

FP_FAULTY(not_uniform) { p.out[threadIdx.x] = static_cast<unsigned>(fp::ptx::uniform(static_cast<int>(threadIdx.x / 16))); }

FP_FAULTY(lane_missing) {
  if (threadIdx.x == 5) return;
  p.out[threadIdx.x] = __ballot_sync(0xffffffffu, threadIdx.x % 2);
}

FP_FAULTY(arrival_missing) {
  fp::FaultyShared &shared = fp::faulty_shared();
  const fp::u32 full = fp::ptx::shared_address(&shared.full);
  if (threadIdx.x == 0) fp::ptx::mbarrier_init(full, fp::faulty_threads);
  __syncthreads();
  if (threadIdx.x != 77) fp::ptx::mbarrier_arrive(full);
  fp::ptx::mbarrier_wait(full, 0);
}

// The phase still waits for bytes.
FP_FAULTY(arrival_too_many) {
  fp::FaultyShared &shared = fp::faulty_shared();
  const fp::u32 full = fp::ptx::shared_address(&shared.full);
  if (threadIdx.x == 0) {
    fp::ptx::mbarrier_init(full, 1);
    fp::ptx::mbarrier_arrive_expect(full, 1024);
    fp::ptx::mbarrier_arrive(full);
  }
}

FP_FAULTY(mbarrier_not_initialised) { fp::ptx::mbarrier_arrive(fp::ptx::shared_address(&fp::faulty_shared().full)); }

FP_FAULTY(behind_the_end) { p.out[threadIdx.x + fp::faulty_words] = 1; }

FP_FAULTY(copy_from_behind_the_end) {
  fp::ptx::cp_async_16(fp::ptx::shared_address(fp::faulty_shared().tile), p.in + fp::faulty_words);
  fp::ptx::cp_async_commit();
  fp::ptx::cp_async_wait<0>();
}

FP_FAULTY(copy_to_behind_shared_memory) {
  fp::ptx::cp_async_16(fp::ptx::shared_address(fp::faulty_shared().tile) + fp::faulty_shared_bytes, p.in);
  fp::ptx::cp_async_commit();
  fp::ptx::cp_async_wait<0>();
}

FP_FAULTY(products_not_fenced) {
  fp::FaultyShared &shared = fp::faulty_shared();
  float d[32];
  fp::u32 a[4] = {};
  const fp::ptx::MatrixDescriptor b = fp::ptx::matrix_descriptor(fp::ptx::shared_address(shared.tile), 1024, 1024, true);
  fp::ptx::Wgmma<64, fp::Bf16, 1>::registers(d, a, b, 0);
}

FP_FAULTY(products_not_waited_for) {
  fp::FaultyShared &shared = fp::faulty_shared();
  float d[32];
  fp::u32 a[4] = {};
  const fp::ptx::MatrixDescriptor b = fp::ptx::matrix_descriptor(fp::ptx::shared_address(shared.tile), 1024, 1024, true);
  fp::ptx::wgmma_fence();
  fp::ptx::Wgmma<64, fp::Bf16, 1>::registers(d, a, b, 0);
  fp::ptx::wgmma_commit();
  p.out[threadIdx.x] = 0;
}

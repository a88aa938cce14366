// Copying pages of the KV cache.
#include "kernels/kv_copy_pages.cuh"

extern "C" __global__ void __launch_bounds__(fp::kv_threads) kv_copy_pages(const __grid_constant__ fp::KvCopyPagesParams params) {
  fp::kv_copy_pages(params);
}

// cuda.h: what launchers (one file per kernel family, same base name as the kernel) use of the CUDA core.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "../../host/backend.h"
#include "../../host/error.h"
#include "driver.h"  // the driver's types and the table of functions found by dlopen

namespace fp::cuda {

// A loaded kernel. Found by its name in the module that holds it; loaded on first use, cached for the device's life.
struct Kernel {
  CUfunction function = nullptr;
  int max_threads = 0;
  int registers = 0;
  int static_shared_bytes = 0;
};

class CudaDevice;
class Scratch;
class LaunchBranch;

// The stream as launchers see it. Its device's context is current.
struct Launch {
  CudaDevice &device;
  CUstream stream;
  Scratch &scratch;
  LaunchBranch &branch;  // for what may run beside what is on the stream, see launch_branch.h
};

// Device memory for what is launched next on this stream, or captured into its graph; later launches there reuse it. 256-byte
// aligned, contents undefined.
void *scratch_memory(const Launch &launch, size_t num_bytes);

// `module` is a source file's base name (kernels/sm80_attention_d128.cu -> "sm80_attention_d128"), `name` an extern "C" kernel.
// dynamic_shared_bytes above 48 KB are opted into here.
Kernel &find_kernel(CudaDevice &device, const char *module, const char *name, int dynamic_shared_bytes = 0);
int num_sms(CudaDevice &device);
int max_shared_bytes(CudaDevice &device);
// What kernels to choose for: 90 for sm_90a (and only that GPU), else of the GPU. FLASHPAGE_CUDA_ARCH=80 lowers it, for tests.
int compute_capability(CudaDevice &device);
// What the loaded images were compiled for, 90 (sm_90a) or 80: kernels of one source choose their tiles by it.
int image_arch(CudaDevice &device);
// CTAs of that shape that fit on one SM.
int occupancy(CudaDevice &device, const Kernel &kernel, int threads, int dynamic_shared_bytes);

struct Grid {
  unsigned x = 1, y = 1, z = 1;
};

// One kernel whose only parameter is the struct `params` (by value, __grid_constant__).
void launch_kernel(const Launch &launch, const Kernel &kernel, Grid grid, unsigned threads, unsigned dynamic_shared_bytes,
                   const void *params);

// The families. Each is defined in the file named beside it.
void launch_attention(const Launch &launch, const fp_attention_args &args);                                             // attention.cc
void attention_limits(CudaDevice &device, int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits);
void launch_merge_states(const Launch &launch, const fp_merge_states_args &args);                                       // attention.cc
void launch_plan_decode(const Launch &launch, const fp_plan_decode_args &args);                                         // plan.cc
void launch_kv_append(const Launch &launch, const fp_kv_append_args &args);                                             // kv_cache.cc
void launch_kv_copy_pages(const Launch &launch, const fp_kv_copy_pages_args &args);                                     // kv_cache.cc
void launch_rms_norm(const Launch &launch, const fp_rms_norm_args &args);                                               // model_ops.cc
void launch_rope(const Launch &launch, const fp_rope_args &args);                                                       // model_ops.cc
void launch_silu_and_mul(const Launch &launch, const fp_silu_and_mul_args &args);                                       // model_ops.cc
void launch_embedding(const Launch &launch, const fp_embedding_args &args);                                             // model_ops.cc
void launch_linear(const Launch &launch, const fp_linear_args &args);         // linear.cc (cuBLASLt if found, else the own kernel)
void launch_linear_own(const Launch &launch, const fp_linear_args &args);     // linear_fallback.cc
void launch_argmax(const Launch &launch, const fp_argmax_args &args);                                                   // sampling.cc
void launch_sample(const Launch &launch, const fp_sample_args &args);                                                   // sampling.cc

}  // namespace fp::cuda

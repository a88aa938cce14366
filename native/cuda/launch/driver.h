// driver.h: the part of the CUDA driver API that is used here, declared by us. The functions are found in libcuda.so.1 when the
// first CUDA device is opened, so the library loads on machines without a driver. Values follow the CUDA driver API reference.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fp::cuda {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphExec = struct CUgraphExec_st *;

enum : CUresult {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
};

enum {  // CUdevice_attribute
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED = 115,
};

enum {  // CUfunction_attribute
  CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
  CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
};

enum {  // CUjit_option
  CU_JIT_ERROR_LOG_BUFFER = 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
};

enum {  // CUpointer_attribute, CUmemorytype
  CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL = 9,
  CU_MEMORYTYPE_DEVICE = 2,
};

enum { CU_STREAM_NON_BLOCKING = 1 };
enum { CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };
enum { CU_STREAM_CAPTURE_MODE_RELAXED = 2 };

enum {  // CUtensorMapDataType, ...Swizzle, ...L2promotion; 0 is no interleaving, and zeros outside of the tensor
  CU_TENSOR_MAP_DATA_TYPE_UINT16 = 1,
  CU_TENSOR_MAP_SWIZZLE_64B = 2,
  CU_TENSOR_MAP_SWIZZLE_128B = 3,
  CU_TENSOR_MAP_L2_PROMOTION_L2_128B = 2,
  CU_TENSOR_MAP_L2_PROMOTION_L2_256B = 3,
};

// Every function of the table: its symbol, then its parameters. All return CUresult. Symbols with _v2 are those that the
// API's headers give the plain names since CUDA 4 (cuMemAlloc is cuMemAlloc_v2, and so on).
#define FLASHPAGE_DRIVER_FUNCTIONS(X)                                                                          \
  X(cuInit, (unsigned flags))                                                                                  \
  X(cuDriverGetVersion, (int *version))                                                                        \
  X(cuGetErrorName, (CUresult error, const char **name))                                                       \
  X(cuGetErrorString, (CUresult error, const char **text))                                                     \
  X(cuDeviceGetCount, (int *count))                                                                            \
  X(cuDeviceGet, (CUdevice *device, int ordinal))                                                              \
  X(cuDeviceGetName, (char *name, int length, CUdevice device))                                                \
  X(cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                                        \
  X(cuDevicePrimaryCtxRetain, (CUcontext *context, CUdevice device))                                           \
  X(cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                                           \
  X(cuCtxSetCurrent, (CUcontext context))                                                                      \
  X(cuMemGetInfo_v2, (size_t *free_bytes, size_t *total_bytes))                                                \
  X(cuMemAlloc_v2, (CUdeviceptr *address, size_t num_bytes))                                                   \
  X(cuMemFree_v2, (CUdeviceptr address))                                                                       \
  X(cuMemAllocAsync, (CUdeviceptr *address, size_t num_bytes, CUstream stream))                                \
  X(cuMemFreeAsync, (CUdeviceptr address, CUstream stream))                                                    \
  X(cuMemHostAlloc, (void **pointer, size_t num_bytes, unsigned flags))                                        \
  X(cuMemFreeHost, (void *pointer))                                                                            \
  X(cuMemcpyHtoDAsync_v2, (CUdeviceptr target, const void *source, size_t num_bytes, CUstream stream))         \
  X(cuMemcpyDtoHAsync_v2, (void *target, CUdeviceptr source, size_t num_bytes, CUstream stream))               \
  X(cuMemcpyDtoDAsync_v2, (CUdeviceptr target, CUdeviceptr source, size_t num_bytes, CUstream stream))         \
  X(cuMemsetD8Async, (CUdeviceptr target, unsigned char value, size_t count, CUstream stream))                 \
  X(cuPointerGetAttribute, (void *value, int attribute, CUdeviceptr address))                                  \
  X(cuStreamCreate, (CUstream * stream, unsigned flags))                                                       \
  X(cuStreamDestroy_v2, (CUstream stream))                                                                     \
  X(cuStreamQuery, (CUstream stream))                                                                          \
  X(cuStreamSynchronize, (CUstream stream))                                                                    \
  X(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags))                                       \
  X(cuStreamBeginCapture_v2, (CUstream stream, int mode))                                                      \
  X(cuStreamEndCapture, (CUstream stream, CUgraph *graph))                                                     \
  X(cuEventCreate, (CUevent * event, unsigned flags))                                                          \
  X(cuEventDestroy_v2, (CUevent event))                                                                        \
  X(cuEventRecord, (CUevent event, CUstream stream))                                                           \
  X(cuEventQuery, (CUevent event))                                                                             \
  X(cuEventSynchronize, (CUevent event))                                                                       \
  X(cuEventElapsedTime, (float *milliseconds, CUevent start, CUevent end))                                     \
  X(cuGraphInstantiateWithFlags, (CUgraphExec * exec, CUgraph graph, unsigned long long flags))                \
  X(cuGraphLaunch, (CUgraphExec exec, CUstream stream))                                                        \
  X(cuGraphDestroy, (CUgraph graph))                                                                           \
  X(cuGraphExecDestroy, (CUgraphExec exec))                                                                    \
  X(cuModuleLoadDataEx, (CUmodule * module, const void *image, unsigned num_options, int *options, void **option_values)) \
  X(cuModuleUnload, (CUmodule module))                                                                         \
  X(cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name))                           \
  X(cuFuncGetAttribute, (int *value, int attribute, CUfunction function))                                      \
  X(cuFuncSetAttribute, (CUfunction function, int attribute, int value))                                       \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *num_blocks, CUfunction function, int block_size, size_t dynamic_shared_bytes)) \
  X(cuTensorMapEncodeTiled, (void *map, int data_type, unsigned rank, void *address, const uint64_t *dims, const uint64_t *strides,   \
                             const unsigned *box, const unsigned *element_strides, int interleave, int swizzle, int l2_promotion, int oob_fill)) \
  X(cuLaunchKernel, (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
                     unsigned block_z, unsigned dynamic_shared_bytes, CUstream stream, void **params, void **extra))

struct Driver {
#define FLASHPAGE_DRIVER_FIELD(name, parameters) CUresult(*name) parameters = nullptr;
  FLASHPAGE_DRIVER_FUNCTIONS(FLASHPAGE_DRIVER_FIELD)
#undef FLASHPAGE_DRIVER_FIELD
};

// Loads and initialises the driver on first use; throws FP_UNAVAILABLE with the reason. A failure may be tried again.
const Driver &driver();

// Throws for a result that is not CUDA_SUCCESS: "<printf text>: CUDA_ERROR_X (n): what it means". FP_OUT_OF_MEMORY for
// CUDA_ERROR_OUT_OF_MEMORY, else FP_DEVICE_ERROR. The text says what was being done, as in "launching kernel x".
[[noreturn]] void fail_driver(CUresult result, const char *doing, ...) __attribute__((format(printf, 2, 3)));
#define FLASHPAGE_CUDA(call, ...)                                                       \
  do {                                                                                  \
    if (const ::fp::cuda::CUresult result_ = (call); __builtin_expect(result_ != 0, 0)) \
      ::fp::cuda::fail_driver(result_, __VA_ARGS__);                                    \
  } while (0)

inline CUdeviceptr device_address(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer); }

}  // namespace fp::cuda

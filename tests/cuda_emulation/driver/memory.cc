// memory.cc: memory of the device and pinned memory of the host; copies and fills.
#include "../runtime/memory.h"

#include <cstdlib>
#include <cstring>

#include "state.h"

using namespace emulation;

namespace {

constexpr int host_memory_type = 1;  // CU_MEMORYTYPE_HOST

bool is_device(CUdeviceptr address, size_t num_bytes) { return memory_contains(address, num_bytes); }

}  // namespace

namespace fp::cuda {
extern "C" {

CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes) {
  FLASHPAGE_EMULATED_CALL();
  *total_bytes = device_memory_bytes;
  *free_bytes = device_memory_bytes - used_memory_bytes();
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t num_bytes) {
  FLASHPAGE_EMULATED_CALL();
  if (num_bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  *address = allocate_memory(num_bytes);
  return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  FLASHPAGE_EMULATED_CALL();
  return free_memory(address) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemAllocAsync(CUdeviceptr *address, size_t num_bytes, CUstream) { return cuMemAlloc_v2(address, num_bytes); }
CUresult cuMemFreeAsync(CUdeviceptr address, CUstream) { return cuMemFree_v2(address); }

CUresult cuMemHostAlloc(void **pointer, size_t num_bytes, unsigned) {
  FLASHPAGE_EMULATED_CALL();
  *pointer = std::malloc(num_bytes);
  if (!*pointer) return CUDA_ERROR_OUT_OF_MEMORY;
  s.pinned[reinterpret_cast<uintptr_t>(*pointer)] = num_bytes;
  return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *pointer) {
  FLASHPAGE_EMULATED_CALL();
  if (s.pinned.erase(reinterpret_cast<uintptr_t>(pointer)) == 0) return CUDA_ERROR_INVALID_VALUE;
  std::free(pointer);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void *source, size_t num_bytes, CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  if (!is_device(target, num_bytes)) return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    std::memcpy(reinterpret_cast<void *>(target), source, num_bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemcpyDtoHAsync_v2(void *target, CUdeviceptr source, size_t num_bytes, CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  if (!is_device(source, num_bytes)) return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    std::memcpy(target, reinterpret_cast<const void *>(source), num_bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr target, CUdeviceptr source, size_t num_bytes, CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  if (!is_device(target, num_bytes) || !is_device(source, num_bytes)) return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    std::memmove(reinterpret_cast<void *>(target), reinterpret_cast<const void *>(source), num_bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemsetD8Async(CUdeviceptr target, unsigned char value, size_t count, CUstream stream) {
  FLASHPAGE_EMULATED_CALL();
  if (!is_device(target, count)) return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    std::memset(reinterpret_cast<void *>(target), value, count);
    return CUDA_SUCCESS;
  });
}

CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
  FLASHPAGE_EMULATED_CALL();
  const auto pinned = s.pinned.upper_bound(address);
  const bool is_host = pinned != s.pinned.begin() && address < std::prev(pinned)->first + std::prev(pinned)->second;
  if (!is_host && !is_device(address, 1)) return CUDA_ERROR_INVALID_VALUE;
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *static_cast<unsigned *>(value) = is_host ? host_memory_type : CU_MEMORYTYPE_DEVICE; break;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *static_cast<int *>(value) = 0; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

}  // extern "C"
}  // namespace fp::cuda

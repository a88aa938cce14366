#include "device.h"

#include <cstdlib>
#include <cstring>

#include "event.h"
#include "stream.h"

namespace fp::cuda {
namespace {

constexpr int oldest_capability = 80;

int attribute(CUdevice device, int name) {
  int value = 0;
  FLASHPAGE_CUDA(driver().cuDeviceGetAttribute(&value, name, device), "reading attribute %d of the device", name);
  return value;
}

// FLASHPAGE_CUDA_ARCH: 80 and 90 choose the kernels written for that architecture, compiled by the driver if the GPU is of a newer one; ptx
// those for 80, compiled by the driver on any GPU, which is what GPUs newer than the library get.
struct Architecture {
  int kernel_capability;
  bool only_ptx;
};

Architecture choose_architecture(int capability) {
  const char *text = getenv("FLASHPAGE_CUDA_ARCH");
  if (!text || !*text) return {capability, false};
  if (std::strcmp(text, "ptx") == 0) return {80, true};
  const int wanted = std::strcmp(text, "80") == 0 ? 80 : std::strcmp(text, "90") == 0 ? 90 : 0;
  if (!wanted) fail(FP_INVALID_ARGUMENT, "FLASHPAGE_CUDA_ARCH is \"%s\". Set 80, 90 or ptx, or leave it away.", text);
  if (wanted > capability) {
    fail(FP_UNAVAILABLE, "FLASHPAGE_CUDA_ARCH is %d, and the GPU has compute capability %d.%d.", wanted, capability / 10, capability % 10);
  }
  return {wanted, wanted / 10 != capability / 10};
}

}  // namespace

CudaDevice::CudaDevice(int ordinal) : ordinal_(ordinal) {
  const Driver &cu = driver();
  int count = 0;
  FLASHPAGE_CUDA(cu.cuDeviceGetCount(&count), "counting the CUDA devices");
  if (count == 0) fail(FP_UNAVAILABLE, "the NVIDIA driver finds no GPU (CUDA_VISIBLE_DEVICES may hide it).");
  if (ordinal >= count) fail(FP_UNAVAILABLE, "there is no CUDA device %d; the driver finds %d. Pass an ordinal below that.", ordinal, count);
  FLASHPAGE_CUDA(cu.cuDeviceGet(&device_, ordinal), "getting CUDA device %d", ordinal);
  char name[256] = "";
  FLASHPAGE_CUDA(cu.cuDeviceGetName(name, sizeof name - 1, device_), "getting the name of CUDA device %d", ordinal);
  name_ = name;
  capability_ = attribute(device_, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10 +
                attribute(device_, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  if (capability_ < oldest_capability) {
    fail(FP_UNAVAILABLE, "%s has compute capability %d.%d, and 8.0 (Ampere) or newer is needed.", name, capability_ / 10, capability_ % 10);
  }
  num_sms_ = attribute(device_, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  max_shared_bytes_ = attribute(device_, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  l2_bytes_ = attribute(device_, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  has_pool_ = attribute(device_, CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0;

  const Architecture architecture = choose_architecture(capability_);
  kernel_capability_ = architecture.kernel_capability;
  FLASHPAGE_CUDA(cu.cuDevicePrimaryCtxRetain(&context_, device_), "opening the context of CUDA device %d", ordinal);
  try {
    make_current();
    FLASHPAGE_CUDA(cu.cuStreamCreate(&memory_stream_, CU_STREAM_NON_BLOCKING), "creating a stream on CUDA device %d", ordinal);
    modules_ = std::make_unique<Modules>(capability_, architecture.only_ptx);
    staging_ = std::make_unique<Staging>();
    linear_library_ = std::make_unique<LinearLibrary>();
  } catch (...) {
    close_context();
    throw;
  }
}

CudaDevice::~CudaDevice() { close_context(); }

void CudaDevice::close_context() noexcept {
  const Driver &cu = driver();
  cu.cuCtxSetCurrent(context_);
  linear_library_.reset();
  staging_.reset();
  modules_.reset();
  if (memory_stream_) {
    cu.cuStreamSynchronize(memory_stream_);
    cu.cuStreamDestroy_v2(memory_stream_);
  }
  cu.cuCtxSetCurrent(nullptr);
  cu.cuDevicePrimaryCtxRelease_v2(device_);
}

void CudaDevice::make_current() const { FLASHPAGE_CUDA(driver().cuCtxSetCurrent(context_), "making CUDA device %d current", ordinal_); }

fp_device_info CudaDevice::info() {
  make_current();
  size_t free_bytes = 0, total_bytes = 0;
  FLASHPAGE_CUDA(driver().cuMemGetInfo_v2(&free_bytes, &total_bytes), "reading the memory size of CUDA device %d", ordinal_);
  int version = 0;
  FLASHPAGE_CUDA(driver().cuDriverGetVersion(&version), "reading the driver's version");
  fp_device_info info{};
  info.kind = FP_DEVICE_CUDA;
  info.ordinal = ordinal_;
  info.num_processors = num_sms_;
  info.compute_capability = capability_;
  info.driver_version = version;
  info.shared_memory_bytes = max_shared_bytes_;
  info.total_memory_bytes = static_cast<f64>(total_bytes);
  info.free_memory_bytes = static_cast<f64>(free_bytes);
  info.l2_cache_bytes = static_cast<f64>(l2_bytes_);
  return info;
}

// The pool's free never waits for kernels, which cuMemFree does; that would stall a serving loop that drops a tensor.
void *CudaDevice::allocate(size_t num_bytes) {
  make_current();
  const Driver &cu = driver();
  CUdeviceptr address = 0;
  CUresult result;
  if (has_pool_) {
    result = cu.cuMemAllocAsync(&address, num_bytes, memory_stream_);
    // Waiting makes the memory usable from every stream, and gives freed memory back for a second try.
    if (result == CUDA_ERROR_OUT_OF_MEMORY && cu.cuStreamSynchronize(memory_stream_) == CUDA_SUCCESS) {
      result = cu.cuMemAllocAsync(&address, num_bytes, memory_stream_);
    }
    if (result == CUDA_SUCCESS) result = cu.cuStreamSynchronize(memory_stream_);
  } else {
    result = cu.cuMemAlloc_v2(&address, num_bytes);
  }
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    size_t free_bytes = 0, total_bytes = 0;
    cu.cuMemGetInfo_v2(&free_bytes, &total_bytes);
    fail(FP_OUT_OF_MEMORY, "%zu bytes were asked of %s, which has %zu of %zu bytes free. Free tensors, or ask for less.", num_bytes, name_.c_str(),
         free_bytes, total_bytes);
  }
  FLASHPAGE_CUDA(result, "allocating %zu bytes", num_bytes);
  return reinterpret_cast<void *>(address);
}

void CudaDevice::deallocate(void *address) {
  make_current();
  if (has_pool_) {
    FLASHPAGE_CUDA(driver().cuMemFreeAsync(device_address(address), memory_stream_), "freeing memory");
  } else {
    FLASHPAGE_CUDA(driver().cuMemFree_v2(device_address(address)), "freeing memory");
  }
}

void CudaDevice::check_foreign(const void *address, size_t num_bytes) {
  make_current();
  const CUdeviceptr first = device_address(address);
  for (const CUdeviceptr byte : {first, first + (num_bytes - 1)}) {
    unsigned memory_type = 0;
    if (driver().cuPointerGetAttribute(&memory_type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, byte) != CUDA_SUCCESS) {
      fail(FP_INVALID_ARGUMENT, "0x%llx is not an address that CUDA knows (%zu bytes from 0x%llx).", byte, num_bytes, first);
    }
    int ordinal = -1;
    if (memory_type == CU_MEMORYTYPE_DEVICE &&
        driver().cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, byte) == CUDA_SUCCESS && ordinal != ordinal_) {
      fail(FP_INVALID_ARGUMENT, "0x%llx is memory of CUDA device %d, and this is CUDA device %d.", byte, ordinal, ordinal_);
    }
  }
}

std::unique_ptr<Stream> CudaDevice::create_stream() {
  make_current();
  return std::make_unique<CudaStream>(*this);
}

std::unique_ptr<Event> CudaDevice::create_event() {
  make_current();
  return std::make_unique<CudaEvent>(*this);
}

double CudaDevice::elapsed_milliseconds(Event &start, Event &end) {
  make_current();
  float milliseconds = 0;
  FLASHPAGE_CUDA(driver().cuEventElapsedTime(&milliseconds, static_cast<CudaEvent &>(start).event(), static_cast<CudaEvent &>(end).event()),
                 "measuring the time between two events");
  return milliseconds;
}

void CudaDevice::attention_limits(int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits) {
  make_current();
  cuda::attention_limits(*this, q_dtype, dtype, kv_dtype, head_dim_qk, head_dim_vo, group_size, limits);
}

int num_sms(CudaDevice &device) { return device.num_sms(); }
int max_shared_bytes(CudaDevice &device) { return device.max_shared_bytes(); }
int compute_capability(CudaDevice &device) { return device.kernel_capability(); }
int image_arch(CudaDevice &device) { return device.image_arch(); }

}  // namespace fp::cuda

namespace fp {

std::unique_ptr<Device> open_cuda_device(int ordinal) { return std::make_unique<cuda::CudaDevice>(ordinal); }

}  // namespace fp

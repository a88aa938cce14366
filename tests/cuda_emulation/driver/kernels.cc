// kernels.cc: modules, kernels, their launches, and tensor maps. Kernels are found by their names, which are unique over all modules; what an image
// holds does not matter.
#include <cstdlib>
#include <cstring>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <string_view>

#include "../runtime/tensor_map.h"
#include "state.h"

namespace emulation {
namespace {

constexpr int free_shared_bytes = 48 << 10;
constexpr int registers = 128;        // of a thread: unknown, so what most kernels keep to
constexpr int sm_threads = 2048;
constexpr unsigned max_threads = 1024;
constexpr int resident_of_sm = 2;     // CTAs that are there at once

Asynchrony asynchrony() {
  const char *text = std::getenv("FLASHPAGE_EMULATED_ASYNC");
  if (!text || !*text || std::string_view(text) == "mixed") return Asynchrony::mixed;
  if (std::string_view(text) == "late") return Asynchrony::late;
  if (std::string_view(text) == "early") return Asynchrony::early;
  std::fprintf(stderr, "CUDA emulation: FLASHPAGE_EMULATED_ASYNC is none of mixed, late and early.\n");
  std::abort();
}

u64 seed() {
  const char *text = std::getenv("FLASHPAGE_EMULATED_SEED");
  return text && *text ? std::strtoull(text, nullptr, 10) : 1;
}

int shared_bytes_of_sm() { return emulated_arch() == 90 ? 228 << 10 : 164 << 10; }

// The first launch of each kernel is a line of the file FLASHPAGE_EMULATED_LOG.
void log_launch(const Function &function) {
  static std::set<const KernelEntry *> known;
  const char *path = std::getenv("FLASHPAGE_EMULATED_LOG");
  if (!path || !*path || !known.insert(function.kernel).second) return;
  if (std::FILE *file = std::fopen(path, "a")) {
    std::fprintf(file, "%s\n", function.kernel->name);
    std::fclose(file);
  }
}

// True for the kernel that FLASHPAGE_EMULATED_REFUSED names: as if its launch took more than the GPU has. The context lives on.
bool is_refused(const Function &function) {
  const char *name = std::getenv("FLASHPAGE_EMULATED_REFUSED");
  return name && std::strcmp(name, function.kernel->name) == 0;
}

CUresult launch(const Function &function, Index3 grid, Index3 block, unsigned shared_bytes, const void *parameter) {
  log_launch(function);
  Launch run{function.kernel, state().library, parameter, grid, block, shared_bytes, seed(), asynchrony(), static_cast<u32>(emulated_sms())};
  if (run_grid(run, run.num_sms * resident_of_sm)) return CUDA_SUCCESS;
  return state().broken = CUDA_ERROR_LAUNCH_FAILED;
}

}  // namespace
}  // namespace emulation

using namespace emulation;

namespace fp::cuda {
extern "C" {

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, int *, void **) {
  FLASHPAGE_EMULATED_CALL();
  if (!image) return CUDA_ERROR_INVALID_VALUE;
  auto *made = new Module;
  s.modules.insert(made);
  *module = reinterpret_cast<CUmodule>(made);
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  FLASHPAGE_EMULATED_CALL();
  if (s.modules.erase(module) == 0) return CUDA_ERROR_INVALID_HANDLE;
  delete reinterpret_cast<Module *>(module);
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  FLASHPAGE_EMULATED_CALL();
  if (!s.modules.contains(module)) return CUDA_ERROR_INVALID_HANDLE;
  for (size_t i = 0; i < s.library->num_kernels; ++i) {
    if (std::strcmp(s.library->kernels[i]->name, name) != 0) continue;
    const auto [found, is_new] = s.functions.try_emplace(name, Function{s.library->kernels[i], free_shared_bytes});
    *function = reinterpret_cast<CUfunction>(&found->second);
    return CUDA_SUCCESS;
  }
  std::fprintf(stderr, "CUDA emulation: there is no kernel %s for sm_%d. tests/cuda_emulation/build.ts says which are built.\n", name, emulated_arch());
  return CUDA_ERROR_NOT_FOUND;
}

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction) {
  FLASHPAGE_EMULATED_CALL();
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = max_threads; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = 0; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = registers; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  FLASHPAGE_EMULATED_CALL();
  int most = 0;
  cuDeviceGetAttribute(&most, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0);
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > most) return CUDA_ERROR_INVALID_VALUE;
  reinterpret_cast<Function *>(function)->allowed_shared_bytes = value;
  return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *num_blocks, CUfunction, int block_size, size_t dynamic_shared_bytes) {
  FLASHPAGE_EMULATED_CALL();
  const int by_shared = shared_bytes_of_sm() / static_cast<int>(dynamic_shared_bytes + 1024);
  *num_blocks = std::min(sm_threads / block_size, by_shared);
  return CUDA_SUCCESS;
}

// Refuses what the driver refuses, as far as the launchers can ask for it.
CUresult cuTensorMapEncodeTiled(void *map, int data_type, unsigned rank, void *address, const uint64_t *dims, const uint64_t *strides, const unsigned *box,
                                const unsigned *element_strides, int interleave, int swizzle, int, int oob_fill) {
  FLASHPAGE_EMULATED_CALL();
  if (data_type != CU_TENSOR_MAP_DATA_TYPE_UINT16 || rank != 5 || interleave != 0 || oob_fill != 0) return CUDA_ERROR_INVALID_VALUE;
  EmulatedTensorMap tensor{EmulatedTensorMap::valid_mark, 0, reinterpret_cast<u64>(address), {}, {}, {}, 2, rank};
  // The values of CUtensorMapSwizzle: none, 32, 64 and 128 bytes.
  if (swizzle < 0 || swizzle > CU_TENSOR_MAP_SWIZZLE_128B) return CUDA_ERROR_INVALID_VALUE;
  tensor.swizzle_bytes = swizzle == 0 ? 0 : 16u << swizzle;
  if (tensor.address % 16 != 0) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < rank; ++i) {
    if (dims[i] == 0 || dims[i] > uint64_t{1} << 32 || box[i] == 0 || box[i] > 256 || element_strides[i] != 1) return CUDA_ERROR_INVALID_VALUE;
    tensor.dims[i] = static_cast<u32>(std::min<uint64_t>(dims[i], ~0u));
    tensor.box[i] = box[i];
    if (i + 1 == rank) break;
    if (strides[i] % 16 != 0 || strides[i] >= uint64_t{1} << 40) return CUDA_ERROR_INVALID_VALUE;
    tensor.strides[i] = strides[i];
  }
  const unsigned row_bytes = box[0] * tensor.element_bytes;
  if (row_bytes % 16 != 0 || (swizzle != 0 && row_bytes > tensor.swizzle_bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0) return CUDA_ERROR_INVALID_VALUE;
  std::memset(map, 0, 128);
  std::memcpy(map, &tensor, sizeof tensor);
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                        unsigned dynamic_shared_bytes, CUstream stream, void **params, void **) {
  FLASHPAGE_EMULATED_CALL();
  const auto &function = *reinterpret_cast<Function *>(handle);
  const bool has_threads = block_x > 0 && block_x <= max_threads && block_x % 32 == 0 && block_y == 1 && block_z == 1;
  if (!has_threads || grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 || grid_z > 65535) return CUDA_ERROR_INVALID_VALUE;
  if (dynamic_shared_bytes > static_cast<unsigned>(function.allowed_shared_bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (is_refused(function)) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  // Graphs keep a copy of their own. Aligned for any parameter.
  const size_t num_bytes = function.kernel->parameter_bytes;
  const std::shared_ptr<void> parameter(std::aligned_alloc(64, (num_bytes + 63) / 64 * 64), std::free);
  std::memcpy(parameter.get(), params[0], num_bytes);
  return enqueue(stream, [=] { return launch(function, {grid_x, grid_y, grid_z}, {block_x, 1, 1}, dynamic_shared_bytes, parameter.get()); });
}

}  // extern "C"
}  // namespace fp::cuda

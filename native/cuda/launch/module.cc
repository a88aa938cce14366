#include "module.h"

#include <vector>

#include "../../host/inflate.h"
#include "device.h"
#include "embedded.h"

namespace fp::cuda {
namespace {

constexpr int free_shared_bytes = 48 << 10;  // what a kernel may use without opting in

const EmbeddedModule *find_embedded(const std::string &name, int arch) {
  for (size_t i = 0; i < num_embedded_modules; ++i) {
    if (embedded_modules[i].arch == arch && name == embedded_modules[i].name) return &embedded_modules[i];
  }
  return nullptr;
}

int function_attribute(CUfunction function, int attribute, const std::string &name) {
  int value = 0;
  FLASHPAGE_CUDA(driver().cuFuncGetAttribute(&value, attribute, function), "reading attribute %d of kernel %s", attribute, name.c_str());
  return value;
}

}  // namespace

Modules::~Modules() {
  for (const auto &[name, module] : modules_) driver().cuModuleUnload(module.module);
}

CUmodule Modules::load(const std::string &name) const {
  constexpr int ptx = 0;
  // Cubins of sm_90a hold no other GPU's code, so they serve 9.0 alone; those of sm_80 serve all of 8.x.
  const EmbeddedModule *image = nullptr;
  if (!only_ptx_) {
    if (capability_ == 90) image = find_embedded(name, 90);
    if (capability_ / 10 == 8) image = find_embedded(name, 80);
  }
  if (!image) image = find_embedded(name, ptx);
  if (!image) {
    fail(FP_NOT_SUPPORTED, "this library has no kernels \"%s\" for compute capability %d.%d%s.", name.c_str(), capability_ / 10, capability_ % 10,
         only_ptx_ ? " as PTX (FLASHPAGE_CUDA_ARCH)" : "");
  }
  std::vector<unsigned char> data(image->num_bytes);
  if (!inflate(image->packed, image->num_packed_bytes, data.data(), data.size())) {
    fail(FP_INTERNAL, "the kernels \"%s\" in this library are damaged.", name.c_str());
  }
  char log[2048] = "";
  int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log - 1)};
  CUmodule module = nullptr;
  const CUresult result = driver().cuModuleLoadDataEx(&module, data.data(), 2, options, values);
  FLASHPAGE_CUDA(result, "loading the %s of kernels \"%s\"%s%.300s", image->arch == ptx ? "PTX" : "cubin", name.c_str(), *log ? ", which says: " : "", log);
  return module;
}

Modules::LoadedKernel Modules::look_up(const std::string &module_name, CUmodule module, const std::string &name) {
  LoadedKernel loaded;
  CUfunction function = nullptr;
  FLASHPAGE_CUDA(driver().cuModuleGetFunction(&function, module, name.c_str()), "finding kernel %s in \"%s\"", name.c_str(), module_name.c_str());
  loaded.kernel.function = function;
  loaded.kernel.max_threads = function_attribute(function, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, name);
  loaded.kernel.registers = function_attribute(function, CU_FUNC_ATTRIBUTE_NUM_REGS, name);
  loaded.kernel.static_shared_bytes = function_attribute(function, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, name);
  loaded.allowed_shared_bytes = free_shared_bytes - loaded.kernel.static_shared_bytes;
  return loaded;
}

Kernel &Modules::find(std::string_view module_name, std::string_view name, int dynamic_shared_bytes) {
  auto module = modules_.find(module_name);
  if (module == modules_.end()) {
    std::string key(module_name);
    LoadedModule loaded;
    loaded.module = load(key);
    module = modules_.emplace(std::move(key), std::move(loaded)).first;
  }
  auto kernel = module->second.kernels.find(name);
  if (kernel == module->second.kernels.end()) {
    std::string key(name);
    const LoadedKernel loaded = look_up(module->first, module->second.module, key);
    kernel = module->second.kernels.emplace(std::move(key), loaded).first;
  }
  LoadedKernel &found = kernel->second;
  if (dynamic_shared_bytes > found.allowed_shared_bytes) {
    FLASHPAGE_CUDA(driver().cuFuncSetAttribute(found.kernel.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, dynamic_shared_bytes),
                   "allowing kernel %s %d bytes of dynamic shared memory", kernel->first.c_str(), dynamic_shared_bytes);
    found.allowed_shared_bytes = dynamic_shared_bytes;
  }
  return found.kernel;
}

Kernel &find_kernel(CudaDevice &device, const char *module, const char *name, int dynamic_shared_bytes) {
  return device.modules().find(module, name, dynamic_shared_bytes);
}

int occupancy(CudaDevice &, const Kernel &kernel, int threads, int dynamic_shared_bytes) {
  int num_blocks = 0;
  FLASHPAGE_CUDA(driver().cuOccupancyMaxActiveBlocksPerMultiprocessor(&num_blocks, kernel.function, threads, static_cast<size_t>(dynamic_shared_bytes)),
                 "computing how many CTAs of %d threads and %d bytes fit on an SM", threads, dynamic_shared_bytes);
  return num_blocks;
}

void launch_kernel(const Launch &launch, const Kernel &kernel, Grid grid, unsigned threads, unsigned dynamic_shared_bytes, const void *params) {
  void *parameters[] = {const_cast<void *>(params)};
  FLASHPAGE_CUDA(driver().cuLaunchKernel(kernel.function, grid.x, grid.y, grid.z, threads, 1, 1, dynamic_shared_bytes, launch.stream, parameters, nullptr),
                 "launching a kernel of %u x %u x %u CTAs with %u threads and %u bytes of dynamic shared memory", grid.x, grid.y, grid.z, threads,
                 dynamic_shared_bytes);
}

}  // namespace fp::cuda

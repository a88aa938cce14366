// module.h: the kernels that the build embedded, loaded on first use.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cuda.h"

namespace fp::cuda {

class Modules {
 public:
  // Images: cubins run on GPUs of the same major capability; PTX is compiled by the driver for any newer one.
  Modules(int capability, bool only_ptx) : capability_(capability), only_ptx_(only_ptx) {}
  ~Modules();
  Modules(const Modules &) = delete;
  Modules &operator=(const Modules &) = delete;

  // 90 if sm_90a cubins serve this GPU, else 80: cubins of sm_80, or PTX made from the same.
  int image_arch() const { return capability_ == 90 && !only_ptx_ ? 90 : 80; }

  Kernel &find(std::string_view module, std::string_view name, int dynamic_shared_bytes);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <typename Value>
  using ByName = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  struct LoadedKernel {
    Kernel kernel;
    int allowed_shared_bytes = 0;  // dynamic bytes opted into
  };
  struct LoadedModule {
    CUmodule module = nullptr;
    ByName<LoadedKernel> kernels;
  };

  CUmodule load(const std::string &name) const;
  static LoadedKernel look_up(const std::string &module_name, CUmodule module, const std::string &name);

  const int capability_;
  const bool only_ptx_;
  ByName<LoadedModule> modules_;
};

}  // namespace fp::cuda

#pragma once
#include <memory>

#include "../../host/backend.h"
#include "driver.h"
#include "memory.h"

namespace fp::cuda {

// Owns the scratch memory that its kernels were captured with, so that it never shares it with a stream's own launches.
class CudaGraph : public Graph {
 public:
  // Takes the captured graph, which it destroys once the executable form exists.
  CudaGraph(CudaDevice &device, CUgraph captured, std::unique_ptr<Scratch> scratch);
  ~CudaGraph() override;
  void launch(CUstream stream);

 private:
  CudaDevice &device_;
  std::unique_ptr<Scratch> scratch_;
  CUgraphExec executable_ = nullptr;
};

}  // namespace fp::cuda

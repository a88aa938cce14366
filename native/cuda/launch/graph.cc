#include "graph.h"

#include "device.h"

namespace fp::cuda {

CudaGraph::CudaGraph(CudaDevice &device, CUgraph captured, std::unique_ptr<Scratch> scratch) : device_(device), scratch_(std::move(scratch)) {
  const CUresult result = driver().cuGraphInstantiateWithFlags(&executable_, captured, 0);
  driver().cuGraphDestroy(captured);
  FLASHPAGE_CUDA(result, "instantiating the captured graph");
}

CudaGraph::~CudaGraph() {
  driver().cuCtxSetCurrent(device_.context());
  driver().cuGraphExecDestroy(executable_);
}

void CudaGraph::launch(CUstream stream) { FLASHPAGE_CUDA(driver().cuGraphLaunch(executable_, stream), "launching a graph"); }

}  // namespace fp::cuda

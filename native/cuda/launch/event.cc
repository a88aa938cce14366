#include "event.h"

#include "device.h"

namespace fp::cuda {

CudaEvent::CudaEvent(CudaDevice &device) : device_(device) {
  FLASHPAGE_CUDA(driver().cuEventCreate(&event_, CU_EVENT_DEFAULT), "creating an event");
}

CudaEvent::~CudaEvent() {
  driver().cuCtxSetCurrent(device_.context());
  driver().cuEventDestroy_v2(event_);
}

bool CudaEvent::ready() {
  device_.make_current();
  const CUresult result = driver().cuEventQuery(event_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  FLASHPAGE_CUDA(result, "the work before an event failed");
  return true;
}

}  // namespace fp::cuda

#pragma once
#include "../../host/backend.h"
#include "driver.h"

namespace fp::cuda {

class CudaDevice;

class CudaEvent : public Event {
 public:
  explicit CudaEvent(CudaDevice &device);
  ~CudaEvent() override;
  bool ready() override;
  CUevent event() const { return event_; }

 private:
  CudaDevice &device_;
  CUevent event_ = nullptr;
};

}  // namespace fp::cuda

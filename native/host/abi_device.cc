#include <cstdio>

#include "check.h"
#include "guard.h"
#include "objects.h"

using namespace fp;

namespace {

template <typename T>
T *result(void *pointer, const char *name) {
  if (!pointer) fail(FP_INVALID_ARGUMENT, "%s, which receives the result, is null.", name);
  return static_cast<T *>(pointer);
}

}  // namespace

FP_API fp_status fp_device_open(i32 kind, i32 ordinal, i32 num_threads, void *device) {
  return guarded("open the device", [&] {
    auto *handle = result<fp_handle>(device, "device");
    if (kind != FP_DEVICE_CPU && kind != FP_DEVICE_CUDA) fail(FP_INVALID_ARGUMENT, "kind is %d. Pass 0 (CPU) or 1 (CUDA).", kind);
    check_between(ordinal, 0, 1023, "ordinal");
    check_between(num_threads, 0, 4096, "num_threads");
    auto backend = kind == FP_DEVICE_CPU ? open_cpu_device(num_threads) : open_cuda_device(ordinal);
    *handle = handles().insert(std::make_shared<DeviceObject>(kind, std::move(backend)));
    return FP_OK;
  });
}

FP_API fp_status fp_device_close(fp_handle device) {
  return guarded("close the device", [&] {
    auto locked = lock_device(device);
    handles().remove(device, Kind::device);
    locked->close();
    return FP_OK;
  });
}

FP_API fp_status fp_device_get_info(fp_handle device, void *info) {
  return guarded("get the device's info", [&] {
    *result<fp_device_info>(info, "info") = lock_device(device)->backend->info();
    return FP_OK;
  });
}

// The text stays valid until this thread's next call of this function, even if another thread closes the device.
FP_API const char *fp_device_name(fp_handle device) {
  static thread_local char name[256];
  name[0] = 0;
  guarded("get the device's name", [&] {
    snprintf(name, sizeof name, "%s", lock_device(device)->backend->name().c_str());
    return FP_OK;
  });
  return name;
}

FP_API fp_status fp_device_synchronize(fp_handle device) {
  return guarded("synchronize the device", [&] {
    lock_device(device)->synchronize();
    return FP_OK;
  });
}

FP_API fp_status fp_attention_get_limits(fp_handle device, i32 q_dtype, i32 dtype, i32 kv_dtype, i32 head_dim_qk, i32 head_dim_vo, i32 group_size, void *limits) {
  return guarded("get the limits of attention", [&] {
    auto &target = *result<fp_attention_limits>(limits, "limits");
    auto locked = lock_device(device);
    check_struct_size(target.struct_size, sizeof target, "fp_attention_limits");
    check_attention_shape(locked->device_kind == FP_DEVICE_CPU, q_dtype, dtype, kv_dtype, head_dim_qk, head_dim_vo, group_size);
    locked->backend->attention_limits(q_dtype, dtype, kv_dtype, head_dim_qk, head_dim_vo, group_size, target);
    return FP_OK;
  });
}

#include "objects.h"

namespace fp {
namespace {

template <typename T>
std::shared_ptr<T> find_as(fp_handle handle, Kind kind) {
  return std::static_pointer_cast<T>(handles().find(handle, kind));
}

// Another thread may have disposed the object or closed the device between the search and the lock.
template <typename T>
Locked<T> lock_as(fp_handle handle, Kind kind, const char *name) {
  std::shared_ptr<T> object = find_as<T>(handle, kind);
  std::unique_lock lock(object->device->mutex);
  if (object->disposed || object->device->closed) {
    lock.unlock();
    fail(FP_INVALID_HANDLE, "the %s (handle %.17g) has been disposed, or its device has been closed.", name, handle);
  }
  return {std::move(object), std::move(lock)};
}

template <typename T>
std::shared_ptr<T> find_on(const DeviceObject &device, fp_handle handle, Kind kind, const char *name) {
  std::shared_ptr<T> object = find_as<T>(handle, kind);
  if (object->device.get() != &device) {
    fail(FP_INVALID_ARGUMENT, "the %s belongs to another device. All that one call uses must be of one device.", name);
  }
  if (object->disposed) fail(FP_INVALID_HANDLE, "the %s (handle %.17g) has been disposed.", name, handle);
  return object;
}

}  // namespace

Locked<DeviceObject> lock_device(fp_handle handle) {
  std::shared_ptr<DeviceObject> object = find_as<DeviceObject>(handle, Kind::device);
  std::unique_lock lock(object->mutex);
  if (object->closed) {
    lock.unlock();
    fail(FP_INVALID_HANDLE, "the device (handle %.17g) has been closed.", handle);
  }
  return {std::move(object), std::move(lock)};
}

Locked<StreamObject> lock_stream(fp_handle handle) { return lock_as<StreamObject>(handle, Kind::stream, "stream"); }
Locked<EventObject> lock_event(fp_handle handle) { return lock_as<EventObject>(handle, Kind::event, "event"); }
Locked<GraphObject> lock_graph(fp_handle handle) { return lock_as<GraphObject>(handle, Kind::graph, "graph"); }
Locked<DownloadObject> lock_download(fp_handle handle) { return lock_as<DownloadObject>(handle, Kind::download, "download"); }

std::shared_ptr<EventObject> event_of(const DeviceObject &device, fp_handle handle) {
  return find_on<EventObject>(device, handle, Kind::event, "event");
}

std::shared_ptr<GraphObject> graph_of(const DeviceObject &device, fp_handle handle) {
  return find_on<GraphObject>(device, handle, Kind::graph, "graph");
}

}  // namespace fp

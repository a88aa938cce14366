#include <cstring>

#include "check.h"
#include "guard.h"
#include "objects.h"

using namespace fp;

namespace {

void require(const void *pointer, const char *name) {
  if (!pointer) fail(FP_INVALID_ARGUMENT, "%s is null.", name);
}

void refuse_capture(const StreamObject &stream, const char *instead) {
  if (stream.capturing) fail(FP_INVALID_ARGUMENT, "the stream captures a graph. %s", instead);
}

}  // namespace

FP_API fp_status fp_memory_alloc(fp_handle device, f64 num_bytes, void *address) {
  return guarded("allocate memory", [&] {
    require(address, "address");
    auto locked = lock_device(device);
    const int64_t bytes = whole(num_bytes, "num_bytes");
    if (bytes == 0) fail(FP_INVALID_ARGUMENT, "num_bytes is 0. Allocate at least one byte.");
    *static_cast<fp_address *>(address) = static_cast<fp_address>(locked->allocate(static_cast<size_t>(bytes)));
    return FP_OK;
  });
}

FP_API fp_status fp_memory_free(fp_handle device, fp_address address) {
  return guarded("free memory", [&] {
    lock_device(device)->free(check_address(address, "address"));
    return FP_OK;
  });
}

FP_API fp_status fp_memory_register(fp_handle device, fp_address address, f64 num_bytes) {
  return guarded("register foreign memory", [&] {
    auto locked = lock_device(device);
    const uintptr_t begin = check_address(address, "address");
    const size_t bytes = static_cast<size_t>(whole(num_bytes, "num_bytes"));
    if (begin == 0) fail(FP_INVALID_ARGUMENT, "address is 0.");
    if (bytes == 0) fail(FP_INVALID_ARGUMENT, "num_bytes is 0. Register at least one byte.");
    if (const MemoryBlock *owned = locked->memory.overlapping_owned(begin, bytes)) {
      fail(FP_INVALID_ARGUMENT, "%zu bytes at 0x%zx overlap memory of this device at 0x%zx (%zu bytes), which needs no registering.", bytes, begin,
           owned->begin, owned->num_bytes);
    }
    locked->backend->check_foreign(at(address), bytes);
    locked->memory.add_foreign(begin, bytes);
    return FP_OK;
  });
}

FP_API fp_status fp_memory_unregister(fp_handle device, fp_address address) {
  return guarded("unregister foreign memory", [&] {
    auto locked = lock_device(device);
    const uintptr_t begin = check_address(address, "address");
    if (!locked->memory.remove_foreign(begin)) fail(FP_INVALID_ARGUMENT, "nothing is registered at 0x%zx.", begin);
    return FP_OK;
  });
}

FP_API fp_status fp_memory_get_usage(fp_handle device, void *usage) {
  return guarded("get the memory usage", [&] {
    require(usage, "usage");
    auto locked = lock_device(device);
    locked->reap();
    auto &target = *static_cast<fp_memory_usage *>(usage);
    target.allocated_bytes = static_cast<f64>(locked->allocated_bytes);
    target.peak_bytes = static_cast<f64>(locked->peak_bytes);
    target.num_allocations = static_cast<f64>(locked->memory.num_owned());
    target.pending_bytes = static_cast<f64>(locked->pending_bytes);
    return FP_OK;
  });
}

FP_API fp_status fp_memory_upload(fp_handle stream, fp_address target, const void *source, f64 num_bytes) {
  return guarded("upload", [&] {
    auto locked = lock_stream(stream);
    const int64_t bytes = whole(num_bytes, "num_bytes");
    // A replay could only repeat today's bytes, which is never what is meant.
    refuse_capture(*locked, "Upload before the capture; a replayed graph reads what the memory then holds.");
    if (bytes == 0) return FP_OK;
    require(source, "source");
    Checker(*locked->device, locked.object.get()).check_range(target, bytes, "target");
    ++locked->enqueued;
    locked->backend->upload(at(target), source, static_cast<size_t>(bytes));
    return FP_OK;
  });
}

FP_API fp_status fp_memory_copy(fp_handle stream, fp_address target, fp_address source, f64 num_bytes) {
  return guarded("copy memory", [&] {
    auto locked = lock_stream(stream);
    const int64_t bytes = whole(num_bytes, "num_bytes");
    if (bytes == 0) return FP_OK;
    Checker checker(*locked->device, locked.object.get());
    checker.check_range(target, bytes, "target");
    checker.check_range(source, bytes, "source");
    if (target < source + static_cast<f64>(bytes) && source < target + static_cast<f64>(bytes)) {
      fail(FP_INVALID_ARGUMENT, "%lld bytes at 0x%zx and at 0x%zx overlap. Copy by way of other memory.", static_cast<long long>(bytes),
           static_cast<size_t>(source), static_cast<size_t>(target));
    }
    if (!locked->capturing) ++locked->enqueued;
    locked->backend->copy(at(target), at(source), static_cast<size_t>(bytes));
    return FP_OK;
  });
}

FP_API fp_status fp_memory_fill(fp_handle stream, fp_address target, i32 byte_value, f64 num_bytes) {
  return guarded("fill memory", [&] {
    auto locked = lock_stream(stream);
    const int64_t bytes = whole(num_bytes, "num_bytes");
    check_between(byte_value, 0, 255, "byte_value");
    if (bytes == 0) return FP_OK;
    Checker(*locked->device, locked.object.get()).check_range(target, bytes, "target");
    if (!locked->capturing) ++locked->enqueued;
    locked->backend->fill(at(target), byte_value, static_cast<size_t>(bytes));
    return FP_OK;
  });
}

FP_API fp_status fp_download_begin(fp_handle stream, fp_address source, f64 num_bytes, void *download) {
  return guarded("download", [&] {
    require(download, "download");
    auto locked = lock_stream(stream);
    const int64_t bytes = whole(num_bytes, "num_bytes");
    refuse_capture(*locked, "Download after the capture.");
    std::unique_ptr<Download> backend;
    if (bytes > 0) {
      Checker(*locked->device, locked.object.get()).check_range(source, bytes, "source");
      ++locked->enqueued;
      backend = locked->backend->download(at(source), static_cast<size_t>(bytes));
    }
    auto object = std::make_shared<DownloadObject>(locked->device, std::move(backend), static_cast<size_t>(bytes));
    *static_cast<fp_handle *>(download) = handles().insert(std::move(object));
    return FP_OK;
  });
}

FP_API fp_status fp_download_finish(fp_handle download, void *target, f64 num_bytes) {
  return guarded("finish the download", [&] {
    auto locked = lock_download(download);
    const auto end = [&] {
      locked->disposed = true;
      handles().remove(download, Kind::download);
    };
    if (!target && (locked->num_bytes > 0 || num_bytes != 0)) {
      end();
      Retired retired;
      retired.download = std::move(locked->backend);
      locked->device->retire(std::move(retired));  // the copy may still be writing
      return FP_OK;
    }
    if (num_bytes != static_cast<f64>(locked->num_bytes)) {
      fail(FP_INVALID_ARGUMENT, "num_bytes is %.17g, and the download was begun with %zu.", num_bytes, locked->num_bytes);
    }
    if (locked->num_bytes > 0) {
      bool ready;
      try {
        ready = locked->backend->ready();
      } catch (...) {
        end();  // a copy that failed never becomes ready: keeping its handle would leak it
        locked->backend.reset();
        throw;
      }
      if (!ready) return FP_NOT_READY;
      std::memcpy(target, locked->backend->data(), locked->num_bytes);
      locked->backend.reset();
    }
    end();
    return FP_OK;
  });
}

// device.cc: the CPU as a device.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <unistd.h>
#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__)
#include <sys/mman.h>
#endif

#include "attention_limits.h"
#include "stream.h"

namespace fp::cpu {
namespace {

constexpr size_t alignment = 256;
constexpr size_t huge_page = size_t{2} << 20;

double total_memory() {
#if defined(__APPLE__)
  uint64_t bytes = 0;
  size_t size = sizeof bytes;
  return sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0 ? static_cast<double>(bytes) : 0;
#else
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
#endif
}

// Memory that can be had without swapping; on macOS all of it.
double available_memory() {
  double bytes = total_memory();
#if defined(__linux__)
  if (FILE *file = fopen("/proc/meminfo", "r")) {
    char line[128];
    double kilobytes;
    while (fgets(line, sizeof line, file) != nullptr) {
      if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) == 1) bytes = kilobytes * 1024;
    }
    fclose(file);
  }
#endif
  return bytes;
}

std::string processor_name() {
  char name[256] = "";
#if defined(__APPLE__)
  size_t size = sizeof name;
  sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0);
#else
  if (FILE *file = fopen("/proc/cpuinfo", "r")) {
    char line[512];
    while (fgets(line, sizeof line, file) != nullptr) {
      if (strncmp(line, "model name", 10) != 0) continue;
      if (const char *colon = strchr(line, ':')) snprintf(name, sizeof name, "%s", colon + 2);
      break;
    }
    fclose(file);
  }
  name[strcspn(name, "\n")] = '\0';
#endif
  return name[0] != '\0' ? name : "CPU";
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int num_threads) : isa_(detect_isa()), name_(processor_name()), workers_(std::make_shared<Workers>(num_threads)) {}

  fp_device_info info() override {
    fp_device_info info = {};
    info.kind = FP_DEVICE_CPU;
    info.num_processors = workers_->pool.num_threads();
    info.compute_capability = static_cast<int>(isa_);
    info.total_memory_bytes = total_memory();
    info.free_memory_bytes = available_memory();
#if defined(__linux__)
    info.l2_cache_bytes = static_cast<double>(sysconf(_SC_LEVEL2_CACHE_SIZE) > 0 ? sysconf(_SC_LEVEL2_CACHE_SIZE) : 0);
#endif
    return info;
  }

  const std::string &name() override { return name_; }

  void *allocate(size_t num_bytes) override {
    // The system promises more than it has; what does not fit now would end the process later.
    const double available = available_memory();
    void *address = nullptr;
    // Weights and pages of KV are read from end to end again and again: with large pages, without looking up an address every 4 KB.
    const bool is_large = num_bytes >= 2 * huge_page;
    if (static_cast<double>(num_bytes) > available || posix_memalign(&address, is_large ? huge_page : alignment, num_bytes) != 0) {
      fail(FP_OUT_OF_MEMORY, "%.0f bytes are wanted and %.0f are free. Use fewer pages or a smaller model.", static_cast<double>(num_bytes), available);
    }
#if defined(__linux__)
    if (is_large) madvise(address, num_bytes, MADV_HUGEPAGE);  // a wish, no more
#endif
    return address;
  }

  void deallocate(void *address) override { free(address); }
  std::unique_ptr<Stream> create_stream() override { return std::make_unique<CpuStream>(workers_, isa_); }
  std::unique_ptr<Event> create_event() override { return std::make_unique<CpuEvent>(); }

  double elapsed_milliseconds(Event &start, Event &end) override {
    // Both are ready: the caller saw to it.
    const Mark &a = *static_cast<CpuEvent &>(start).mark, &b = *static_cast<CpuEvent &>(end).mark;
    return std::chrono::duration<double, std::milli>(b.time - a.time).count();
  }

  void attention_limits(int q_dtype, int dtype, int kv_dtype, int head_dim_qk, int head_dim_vo, int group_size, fp_attention_limits &limits) override {
    cpu::attention_limits(workers_->pool.num_threads(), isa_, q_dtype, dtype, kv_dtype, head_dim_qk, head_dim_vo, group_size, limits);
  }

 private:
  const Isa isa_;
  const std::string name_;
  const std::shared_ptr<Workers> workers_;
};

}  // namespace
}  // namespace fp::cpu

namespace fp {

std::unique_ptr<Device> open_cpu_device(int num_threads) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::make_unique<cpu::CpuDevice>(num_threads > 0 ? num_threads : cores > 0 ? cores : 1);
}

}  // namespace fp

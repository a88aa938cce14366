#include "report.h"

#include <cstdarg>

#include "cta.h"

namespace emulation {
namespace {

void report_values(const Launch &launch, Index3 block, const char *format, va_list values) {
  std::fprintf(stderr, "CUDA emulation: kernel %s, CTA (%u, %u, %u), seed %llu: ", launch.kernel->name, block.x, block.y, block.z,
               static_cast<unsigned long long>(launch.seed));
  std::vfprintf(stderr, format, values);
  std::fprintf(stderr, ".\n");
}

}  // namespace

void report(const Launch &launch, Index3 block, const char *format, ...) {
  va_list values;
  va_start(values, format);
  report_values(launch, block, format, values);
  va_end(values);
}

void fail(const Site &site, const char *format, ...) {
  Thread &me = self();
  va_list values;
  va_start(values, format);
  report_values(*me.cta->launch, me.cta->block_index, format, values);
  va_end(values);
  std::fprintf(stderr, "  thread %u (warp %u, lane %u) at %s:%u\n", me.index, me.warp->index, me.lane, site.file_name(), site.line());
  me.cta->abandon();
}

}  // namespace emulation

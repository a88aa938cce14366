// report.h: saying what went wrong in a kernel, on standard error.
#pragma once
#include <cstdio>

#include "launch.h"

namespace emulation {

// One line: the kernel, the CTA, then the message.
void report(const Launch &launch, Index3 block, const char *format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace emulation

// launch.h: running a grid.
#pragma once
#include "device_api.h"

namespace emulation {

// When copies and products take effect, between the earliest and the latest moment that the program allows: a missing wait shows in what is
// late, a ring slot that is reused too soon in what is early. `mixed` draws for each.
enum class Asynchrony { mixed, late, early };

struct Launch {
  const KernelEntry *kernel;
  const KernelLibrary *library;
  const void *parameter;
  Index3 grid_dim;
  Index3 block_dim;
  u32 dynamic_shared_bytes;
  u64 seed;
  Asynchrony asynchrony;
  u32 num_sms;
  bool failed = false;
};

// Runs all CTAs, up to `resident_ctas` at a time; they take turns at atomic operations and at their ends. False: it failed, and why is printed.
bool run_grid(Launch &launch, u32 resident_ctas);

}  // namespace emulation

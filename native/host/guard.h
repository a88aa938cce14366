// guard.h: the border of the ABI. No exception passes it; each becomes a status and this thread's last error text.
#pragma once
#include "error.h"

namespace fp {

// Called inside a catch block. The text becomes "Cannot <action>: <what the exception says>".
fp_status report_current_exception(const char *action) noexcept;
const char *last_error() noexcept;

template <typename Body>
fp_status guarded(const char *action, Body &&body) noexcept {
  try {
    return body();
  } catch (...) {
    return report_current_exception(action);
  }
}

}  // namespace fp

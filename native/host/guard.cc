#include "guard.h"

#include <cstdio>
#include <cstring>
#include <new>

namespace fp {
namespace {

// Plain bytes: nothing to destroy when a thread ends, so the library may be used by threads of any origin.
thread_local char last_error_text[4096];

fp_status report(fp_status_code status, const char *action, const char *text) noexcept {
  const bool says_action = std::strncmp(text, "Cannot ", 7) == 0;
  if (says_action) {
    snprintf(last_error_text, sizeof last_error_text, "%s", text);
  } else {
    snprintf(last_error_text, sizeof last_error_text, "Cannot %s: %s", action, text);
  }
  return status;
}

}  // namespace

const char *last_error() noexcept { return last_error_text; }

fp_status report_current_exception(const char *action) noexcept {
  try {
    throw;
  } catch (const Error &error) {
    return report(error.status(), action, error.what());
  } catch (const std::bad_alloc &) {
    return report(FP_OUT_OF_MEMORY, action, "the process has no host memory left");
  } catch (const std::exception &error) {
    return report(FP_INTERNAL, action, error.what());
  } catch (...) {
    return report(FP_INTERNAL, action, "an exception of unknown type was thrown");
  }
}

}  // namespace fp

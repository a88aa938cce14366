#include "error.h"

#include <cstdio>

namespace fp {

void fail(fp_status_code status, const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  throw Error(status, text);
}

}  // namespace fp

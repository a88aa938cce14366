// error.h: the one exception type. Its text says what was asked, the values, and what to do.
#pragma once
#include <cstdarg>
#include <exception>
#include <string>

#include "../flashpage.h"

namespace fp {

class Error : public std::exception {
 public:
  Error(fp_status_code status, std::string text) : status_(status), text_(std::move(text)) {}
  const char *what() const noexcept override { return text_.c_str(); }
  fp_status_code status() const noexcept { return status_; }

 private:
  fp_status_code status_;
  std::string text_;
};

// printf-style text; throws. Defined in error.cc.
[[noreturn]] void fail(fp_status_code status, const char *format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace fp

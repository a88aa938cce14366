#include "check.h"

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <string>

namespace fp {
namespace {

constexpr double whole_limit = 9007199254740992.0;  // 2^53

std::string describe(std::initializer_list<Dim> dims, int64_t inner, int dtype) {
  std::string shape = "[", strides = "[";
  char text[96];
  for (const Dim &dim : dims) {
    snprintf(text, sizeof text, "%s %" PRId64 ", ", dim.name, dim.size);
    shape += text;
    snprintf(text, sizeof text, "%" PRId64 ", ", dim.stride);
    strides += text;
  }
  snprintf(text, sizeof text, "%" PRId64 "]", inner);
  return shape + text + " " + dtype_name(dtype) + " with strides " + strides + "1]";
}

}  // namespace

int64_t whole(double value, const char *name) {
  if (!(value >= 0 && value < whole_limit) || static_cast<double>(static_cast<int64_t>(value)) != value) {
    fail(FP_INVALID_ARGUMENT, "%s is %.17g. Pass a whole number from 0 to 2^53 - 1.", name, value);
  }
  return static_cast<int64_t>(value);
}

uintptr_t check_address(fp_address address, const char *name) {
  if (!(address >= 0 && address < whole_limit) || static_cast<double>(static_cast<uint64_t>(address)) != address) {
    fail(FP_INVALID_ARGUMENT, "%s is %.17g, which is not an address.", name, address);
  }
  return static_cast<uintptr_t>(address);
}

int64_t multiply(int64_t a, int64_t b, const char *name) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) {
    fail(FP_INVALID_ARGUMENT, "%s is too large: %" PRId64 " x %" PRId64 " does not fit in 63 bits.", name, a, b);
  }
  return product;
}

void check_between(int64_t value, int64_t low, int64_t high, const char *name) {
  if (value >= low && value <= high) return;
  if (high >= INT32_MAX) fail(FP_INVALID_ARGUMENT, "%s is %" PRId64 ", and must be at least %" PRId64 ".", name, value, low);
  fail(FP_INVALID_ARGUMENT, "%s is %" PRId64 ", and must be from %" PRId64 " to %" PRId64 ".", name, value, low, high);
}

void check_flag(int value, const char *name) {
  if (value != 0 && value != 1) fail(FP_INVALID_ARGUMENT, "%s is %d, and must be 0 or 1.", name, value);
}

void check_finite(float value, const char *name) {
  if (!std::isfinite(value)) fail(FP_INVALID_ARGUMENT, "%s is %g, and must be a finite number.", name, static_cast<double>(value));
}

void check_struct_size(uint32_t struct_size, size_t expected, const char *name) {
  if (struct_size != expected) {
    fail(FP_INVALID_ARGUMENT, "struct_size of %s is %u, and this library has %zu. The TypeScript and the native library are of different versions.",
         name, struct_size, expected);
  }
}

const char *dtype_name(int dtype) {
  switch (dtype) {
    case FP_F32:
      return "f32";
    case FP_F16:
      return "f16";
    case FP_BF16:
      return "bf16";
    case FP_I32:
      return "i32";
    case FP_U8:
      return "u8";
    case FP_E4M3:
      return "e4m3";
    case FP_E5M2:
      return "e5m2";
  }
  return "unknown";
}

int dtype_bytes(int dtype) {
  switch (dtype) {
    case FP_F16:
    case FP_BF16:
      return 2;
    case FP_U8:
    case FP_E4M3:
    case FP_E5M2:
      return 1;
  }
  return 4;
}

void check_dtype(int dtype, unsigned allowed, const char *name, const char *where) {
  if (dtype >= FP_F32 && dtype <= FP_E5M2) {
    if (allowed & dtype_bit(dtype)) return;
    std::string list;
    for (int other = FP_F32; other <= FP_E5M2; ++other) {
      if (!(allowed & dtype_bit(other))) continue;
      if (!list.empty()) list += ", ";
      list += dtype_name(other);
    }
    fail(FP_NOT_SUPPORTED, "%s is %s. Supported %s: %s.", name, dtype_name(dtype), where, list.c_str());
  }
  fail(FP_INVALID_ARGUMENT, "%s is %d, which is not a dtype.", name, dtype);
}

int row_alignment(const Checker &checker) { return checker.is_cpu() ? 1 : 16; }

void Checker::check_range(fp_address address, int64_t num_bytes, const char *name) {
  const uintptr_t begin = check_address(address, name);
  if (num_bytes == 0) return;
  const std::shared_ptr<MemoryBlock> *block = device_.memory.find(begin, static_cast<size_t>(num_bytes));
  if (!block) refuse_range(begin, num_bytes, name);
  if (stream_ && stream_->capturing && stream_->captured.insert(*block).second) ++(*block)->graphs;
}

void Checker::refuse_range(uintptr_t begin, int64_t num_bytes, const char *name) const {
  if (begin == 0) fail(FP_INVALID_ARGUMENT, "%s is absent (address 0), and %" PRId64 " bytes of it are needed.", name, num_bytes);
  if (const MemoryBlock *around = device_.memory.around(begin)) {
    fail(FP_INVALID_ARGUMENT,
         "%s needs %" PRId64 " bytes at 0x%zx, but the %s there ends %zu bytes behind that (it is %zu bytes long). Check the shape and the strides.",
         name, num_bytes, begin, around->foreign ? "registered memory" : "allocation", around->begin + around->num_bytes - begin, around->num_bytes);
  }
  fail(FP_INVALID_ARGUMENT,
       "%s at 0x%zx (%" PRId64 " bytes) is not in live memory of this device (%s). It was freed, belongs to another device, or is foreign: register foreign memory first.",
       name, begin, num_bytes, device_.backend->name().c_str());
}

void Checker::check_tensor(const char *name, fp_address address, int dtype, std::initializer_list<Dim> dims, int64_t inner, Access access,
                           int alignment_bytes) {
  const uintptr_t begin = check_address(address, name);
  if (inner == 0) return;
  for (const Dim &dim : dims) {
    if (dim.size == 0) return;
  }
  const int element_bytes = dtype_bytes(dtype);
  if (alignment_bytes < element_bytes) alignment_bytes = element_bytes;
  if (begin % static_cast<uintptr_t>(alignment_bytes) != 0) {
    fail(FP_INVALID_ARGUMENT, "%s begins at 0x%zx, which is not a multiple of %d bytes.", name, begin, alignment_bytes);
  }
  int64_t last = inner - 1;  // index of the last element
  for (const Dim &dim : dims) {
    int64_t reach;
    if (__builtin_mul_overflow(dim.size - 1, dim.stride, &reach) || __builtin_add_overflow(last, reach, &last)) {
      fail(FP_INVALID_ARGUMENT, "%s is too large: %s does not fit in 63 bits.", name, describe(dims, inner, dtype).c_str());
    }
    if (dim.size > 1 && alignment_bytes > element_bytes && (dim.stride & (alignment_bytes / element_bytes - 1)) != 0) {
      fail(FP_INVALID_ARGUMENT, "%s has a stride of %" PRId64 " elements (%s), and rows must begin at multiples of %d bytes.", name, dim.stride,
           dim.name, alignment_bytes);
    }
  }
  if (access == Access::write) {
    // Dimensions nest: each one's step must clear all the elements of those with smaller steps.
    for (const Dim &dim : dims) {
      if (dim.size == 1) continue;
      int64_t below = inner - 1;
      for (const Dim &other : dims) {
        const bool smaller = other.stride < dim.stride || (other.stride == dim.stride && &other > &dim);
        if (&other != &dim && smaller) below += (other.size - 1) * other.stride;
      }
      if (dim.stride <= below) {
        fail(FP_INVALID_ARGUMENT, "%s would overlap itself: its shape is %s. Pass a larger stride of %s.", name,
             describe(dims, inner, dtype).c_str(), dim.name);
      }
    }
  }
  int64_t num_bytes;
  if (__builtin_add_overflow(last, 1, &last) || __builtin_mul_overflow(last, element_bytes, &num_bytes)) {
    fail(FP_INVALID_ARGUMENT, "%s is too large: %s does not fit in 63 bits.", name, describe(dims, inner, dtype).c_str());
  }
  if (device_.memory.find(begin, static_cast<size_t>(num_bytes)) == nullptr) {
    const std::string named = std::string(name) + " " + describe(dims, inner, dtype);
    refuse_range(begin, num_bytes, named.c_str());
  }
  check_range(address, num_bytes, name);
}

}  // namespace fp

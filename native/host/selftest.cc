// selftest.cc: shows JavaScript how this library reads a struct, field by field.
#include <cstring>

#include "check.h"
#include "guard.h"
#include "selftest.gen.h"

namespace fp {
namespace {

template <typename T>
double load(const unsigned char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

double read_field(const unsigned char *bytes, const selftest::Field &field) {
  switch (field.kind) {
    case selftest::Kind::i32:
      return load<int32_t>(bytes + field.offset);
    case selftest::Kind::u32:
      return load<uint32_t>(bytes + field.offset);
    case selftest::Kind::f32:
      return load<float>(bytes + field.offset);
    case selftest::Kind::f64:
      return load<double>(bytes + field.offset);
  }
  fail(FP_INTERNAL, "selftest.gen.h has a field of an unknown kind.");
}

}  // namespace
}  // namespace fp

FP_API fp_status fp_selftest_struct(i32 struct_id, const void *bytes, f64 num_bytes, void *fields, i32 num_fields) {
  using namespace fp;
  return guarded("test a struct", [&] {
    check_between(struct_id, 0, selftest::num_structs - 1, "struct_id");
    const selftest::Struct &layout = selftest::structs[struct_id];
    if (!bytes || !fields) fail(FP_INVALID_ARGUMENT, "bytes or fields is null.");
    if (num_bytes != static_cast<f64>(layout.size) || num_fields != layout.num_fields) {
      fail(FP_INVALID_ARGUMENT, "struct %d has %d bytes in %d fields here, and the caller has %.17g bytes in %d fields.", struct_id,
           static_cast<int>(layout.size), static_cast<int>(layout.num_fields), num_bytes, num_fields);
    }
    for (int i = 0; i < num_fields; ++i) {
      static_cast<double *>(fields)[i] = read_field(static_cast<const unsigned char *>(bytes), layout.fields[i]);
    }
    return FP_OK;
  });
}

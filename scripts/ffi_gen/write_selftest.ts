import type { Header, Scalar } from "./parse_header.ts";

const KIND: Record<Scalar, number> = { i32: 0, u32: 1, f32: 2, f64: 3 };

/** Text of native/host/selftest.gen.h. */
export function writeSelftest({ structs }: Header): string {
  const lines = [
    "// Written by scripts/gen_ffi.ts from native/flashpage.h. Do not edit.",
    "#pragma once",
    "#include <cstddef>",
    "",
    '#include "../flashpage.h"',
    "",
    "namespace fp::selftest {",
    "",
  ];
  for (const { name, fields, byteLength } of structs) {
    lines.push(`static_assert(sizeof(${name}) == ${byteLength});`);
    for (const field of fields) lines.push(`static_assert(offsetof(${name}, ${field.name}) == ${field.byteOffset});`);
  }
  lines.push(
    "",
    "enum class Kind { i32, u32, f32, f64 };",
    "",
    "struct Field {",
    "  Kind kind;",
    "  size_t offset;",
    "};",
    "",
  );
  lines.push("struct Struct {", "  size_t size;", "  const Field *fields;", "  int num_fields;", "};", "");
  for (const { name, fields } of structs) {
    lines.push(`inline constexpr Field ${name}_fields[] = {`);
    for (const field of fields) lines.push(`    {static_cast<Kind>(${KIND[field.type]}), ${field.byteOffset}},`);
    lines.push("};");
  }
  lines.push("", "inline constexpr Struct structs[] = {");
  for (const { name, fields, byteLength } of structs) {
    lines.push(`    {${byteLength}, ${name}_fields, ${fields.length}},`);
  }
  lines.push(
    "};",
    "inline constexpr int num_structs = sizeof structs / sizeof structs[0];",
    "",
    "}  // namespace fp::selftest",
    "",
  );
  return lines.join("\n");
}

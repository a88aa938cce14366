import type { Header, Parameter } from "./parse_header.ts";

function typescriptType(type: Parameter["type"]): string {
  return type === "buffer" ? "Buffer" : "number";
}

/** Text of src/ffi/symbols.gen.ts. */
export function writeSymbols({ functions, abiVersion }: Header): string {
  const lines = [
    "// Written by scripts/gen_ffi.ts from native/flashpage.h. Do not edit.",
    "",
    "/** Version of the ABI that these tables describe. */",
    `export const ABI_VERSION = ${abiVersion};`,
    "",
    "/** What a `buffer` parameter takes. */",
    "export type Buffer = Uint8Array | Int32Array | Uint32Array | Float32Array | Float64Array | Uint16Array | Int16Array | null;",
    "",
    "/** Types of parameters: scalars, and caller-owned memory. */",
    'export type NativeType = "i32" | "u32" | "f32" | "f64" | "buffer";',
    "",
    "/** Signature of one function. */",
    "export interface NativeSignature {",
    "  readonly parameters: readonly NativeType[];",
    '  readonly result: "i32" | "cstring";',
    "}",
    "",
    "/** The library's functions, as both bindings give them. */",
    "export interface Symbols {",
  ];
  for (const { name, parameters, result, declaration } of functions) {
    lines.push(`  /** \`${declaration.replace(/^FP_API /, "").replaceAll("*", "\\*")}\` */`);
    const list = parameters.map((parameter) => `${parameter.name}: ${typescriptType(parameter.type)}`).join(", ");
    lines.push(`  ${name}(${list}): ${result === "cstring" ? "string" : "number"};`);
  }
  lines.push(
    "}",
    "",
    "/** Signatures by name. */",
    "export const SIGNATURES: Readonly<Record<keyof Symbols, NativeSignature>> = {",
  );
  for (const { name, parameters, result } of functions) {
    const types = parameters.map((parameter) => `"${parameter.type}"`).join(", ");
    lines.push(`  ${name}: { parameters: [${types}], result: "${result}" },`);
  }
  lines.push("};", "");
  return lines.join("\n");
}

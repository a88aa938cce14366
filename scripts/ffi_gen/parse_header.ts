/** Parses the small subset of C that native/flashpage.h keeps to; anything else is an error that shows the line. */

/** Scalars of the ABI as TypeScript and both runtimes see them. */
export type Scalar = "i32" | "u32" | "f32" | "f64";

/** A parameter: a scalar, or a caller-owned typed array or null. */
export interface Parameter {
  name: string;
  type: Scalar | "buffer";
}

/** An exported function. */
export interface FunctionDeclaration {
  name: string;
  result: "i32" | "cstring";
  parameters: Parameter[];
  declaration: string;
}

/** A field with its place under natural C alignment. */
export interface Field {
  name: string;
  type: Scalar;
  byteOffset: number;
  comment: string;
}

/** A struct. */
export interface Struct {
  name: string;
  fields: Field[];
  byteLength: number;
}

/** An enum. */
export interface Enum {
  name: string;
  members: [name: string, value: number][];
}

/** Everything the generators need. */
export interface Header {
  abiVersion: number;
  functions: FunctionDeclaration[];
  structs: Struct[];
  enums: Enum[];
}

const SCALARS: Record<string, Scalar> = {
  i32: "i32",
  u32: "u32",
  f32: "f32",
  f64: "f64",
  fp_handle: "f64",
  fp_address: "f64",
  fp_status: "i32",
};

/** Bytes of a scalar; also its alignment. */
export const SIZE: Record<Scalar, number> = { i32: 4, u32: 4, f32: 4, f64: 8 };

function scalar(type: string, where: string): Scalar {
  const found = SCALARS[type];
  if (found === undefined) throw new Error(`flashpage.h: unknown type "${type}" in "${where}".`);
  return found;
}

function parseParameter(text: string): Parameter {
  const buffer = /^(?:const )?void \*(\w+)$/.exec(text);
  if (buffer) return { name: buffer[1], type: "buffer" };
  const plain = /^(\w+) (\w+)$/.exec(text);
  if (!plain) throw new Error(`flashpage.h: cannot read parameter "${text}".`);
  return { name: plain[2], type: scalar(plain[1], text) };
}

function parseFunctions(source: string): FunctionDeclaration[] {
  const functions: FunctionDeclaration[] = [];
  for (const match of source.matchAll(/^FP_API\s+(const char \*|fp_status |i32 )(fp_\w+)\(([^)]*)\);/gm)) {
    const [declaration, result, name, list] = match;
    const parameters = list.trim() === "void" ? [] : list.split(",").map((text) => parseParameter(text.trim()));
    functions.push({
      name,
      result: result.startsWith("const") ? "cstring" : "i32",
      parameters,
      declaration: declaration.replace(/\s+/g, " "),
    });
  }
  const declared = source.match(/^FP_API\s/gm)?.length ?? 0;
  if (declared !== functions.length) {
    throw new Error(`flashpage.h declares ${declared} functions, ${functions.length} could be read.`);
  }
  return functions;
}

function parseStruct(name: string, body: string): Struct {
  const fields: Field[] = [];
  let end = 0;
  let alignment = 4;
  for (const line of body.split("\n").map((text) => text.trim())) {
    if (line === "" || line.startsWith("/*") || line.startsWith("*")) continue;
    const match = /^(\w+) (\w+);\s*(?:\/\*\s*(.*?)\s*\*\/)?$/.exec(line);
    if (!match) throw new Error(`flashpage.h: cannot read "${line}" in struct ${name}.`);
    const type = scalar(match[1], line);
    const size = SIZE[type];
    const byteOffset = Math.ceil(end / size) * size;
    fields.push({ name: match[2], type, byteOffset, comment: match[3] ?? "" });
    end = byteOffset + size;
    alignment = Math.max(alignment, size);
  }
  return { name, fields, byteLength: Math.ceil(end / alignment) * alignment };
}

function parseEnum(name: string, body: string): Enum {
  const members: Enum["members"] = [];
  for (const line of body.split("\n").map((text) => text.replace(/\/\*.*?\*\//, "").trim())) {
    if (line === "") continue;
    const match = /^(FP_\w+) = (\d+),?$/.exec(line);
    if (!match) throw new Error(`flashpage.h: cannot read "${line}" in enum ${name}.`);
    members.push([match[1], Number(match[2])]);
  }
  return { name, members };
}

/** Reads the header. @throws {Error} naming what it cannot read. */
export function parseHeader(source: string): Header {
  const version = /#define FP_ABI_VERSION (\d+)/.exec(source);
  if (!version) throw new Error("flashpage.h does not define FP_ABI_VERSION.");
  return {
    abiVersion: Number(version[1]),
    functions: parseFunctions(source),
    structs: [...source.matchAll(/^struct (fp_\w+) \{\n([\s\S]*?)\n\};/gm)].map(([, name, body]) =>
      parseStruct(name, body)
    ),
    enums: [...source.matchAll(/^enum (fp_\w+) \{\n([\s\S]*?)\n\};/gm)].map(([, name, body]) => parseEnum(name, body)),
  };
}

/** `fp_attention_args` to `attentionArgs`, `k_page_stride` to `kPageStride`. */
export function camelCase(name: string): string {
  return name.replace(/^fp_/, "").replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** `fp_attention_args` to `AttentionArgs`. */
export function pascalCase(name: string): string {
  const camel = camelCase(name);
  return camel[0].toUpperCase() + camel.slice(1);
}

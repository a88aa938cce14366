import { camelCase, type Enum, type Header, pascalCase, type Scalar, SIZE, type Struct } from "./parse_header.ts";

const ARRAY: Record<Scalar, string> = { i32: "i32", u32: "u32", f32: "f32", f64: "f64" };
const CLASS: Record<Scalar, string> = {
  i32: "Int32Array",
  u32: "Uint32Array",
  f32: "Float32Array",
  f64: "Float64Array",
};

/** The longest prefix `FP_..._` that all members share, so that `FP_TILE_DECODE` reads `DECODE`. */
function commonPrefix({ members }: Enum): string {
  const parts = members.map(([name]) => name.split("_"));
  let count = 1;
  while (parts.every((part) => part.length > count + 1 && part[count] === parts[0][count])) count++;
  return parts[0].slice(0, count).join("_") + "_";
}

function writeEnum(definition: Enum): string[] {
  const prefix = commonPrefix(definition);
  const name = pascalCase(definition.name);
  return [
    `/** \`enum ${definition.name}\` */`,
    `export const ${name} = {`,
    ...definition.members.map(([member, value]) => `  ${member.slice(prefix.length)}: ${value},`),
    "} as const;",
    "",
  ];
}

function writeOffsets({ name, fields, byteLength }: Struct): string[] {
  const constant = name.replace(/^fp_/, "").toUpperCase();
  return [
    `/** \`struct ${name}\` in 4-byte words: its length, and where each field is. */`,
    `export const ${constant} = {`,
    `  words: ${byteLength / 4},`,
    ...fields.map((field) => `  ${camelCase(field.name)}: ${field.byteOffset / 4},`),
    "} as const;",
    "",
  ];
}

function writeView({ name, fields, byteLength }: Struct): string[] {
  const types = [...new Set(fields.map((field) => field.type))].sort();
  const isArgument = fields[0].name === "struct_size";
  const lines = [
    `/** \`struct ${name}\`: pass \`bytes\` to the library. */`,
    `export class ${pascalCase(name)} {`,
    `  /** Bytes of the struct. */`,
    `  static readonly byteLength = ${byteLength};`,
    "  /** The struct's memory. It never moves. */",
    "  readonly bytes: Uint8Array<ArrayBuffer>;",
    ...types.map((type) => `  readonly #${ARRAY[type]}: ${CLASS[type]};`),
    "",
    "  constructor() {",
    `    const buffer = new ArrayBuffer(${byteLength});`,
    "    this.bytes = new Uint8Array(buffer);",
    ...types.map((type) =>
      byteLength % SIZE[type] === 0
        ? `    this.#${ARRAY[type]} = new ${CLASS[type]}(buffer);`
        : `    this.#${ARRAY[type]} = new ${CLASS[type]}(buffer, 0, ${Math.floor(byteLength / SIZE[type])});`
    ),
    ...(isArgument ? [`    this.#u32[0] = ${byteLength};`] : []),
    "  }",
  ];
  for (const field of fields) {
    if (field.name === "struct_size") continue;
    const slot = `this.#${ARRAY[field.type]}[${field.byteOffset / SIZE[field.type]}]`;
    const doc = `${field.type}${field.comment === "" ? "" : `: ${field.comment.replaceAll("*/", "")}`}`;
    lines.push("", `  /** ${doc} */`, `  get ${camelCase(field.name)}(): number {`, `    return ${slot};`, "  }");
    lines.push(`  set ${camelCase(field.name)}(value: number) {`, `    ${slot} = value;`, "  }");
  }
  lines.push("}", "");
  return lines;
}

function writeTable(structs: Struct[]): string[] {
  return [
    "/** Every struct in the order of the header, for the native self-test. */",
    'export const STRUCTS: readonly { name: string; byteLength: number; fields: readonly [name: string, type: "i32" | "u32" | "f32" | "f64", byteOffset: number][] }[] = [',
    ...structs.flatMap(({ name, byteLength, fields }) => [
      `  {`,
      `    name: "${name}",`,
      `    byteLength: ${byteLength},`,
      `    fields: [`,
      ...fields.map((field) => `      ["${field.name}", "${field.type}", ${field.byteOffset}],`),
      `    ],`,
      `  },`,
    ]),
    "];",
    "",
  ];
}

/** Text of src/ffi/structs.gen.ts. */
export function writeStructs({ structs, enums }: Header): string {
  return [
    "// Written by scripts/gen_ffi.ts from native/flashpage.h. Do not edit.",
    "",
    ...enums.flatMap(writeEnum),
    ...structs.flatMap((struct) => [...writeOffsets(struct), ...writeView(struct)]),
    ...writeTable(structs),
  ].join("\n");
}

/**
 * Reads native/flashpage.h and writes everything that must agree with it:
 *   src/ffi/symbols.gen.ts      the function table for Deno and Bun, and its TypeScript type
 *   src/ffi/structs.gen.ts      enums, a view class a struct, word offsets of plan structs
 *   native/host/selftest.gen.h  static_asserts of every offset, and the field table of fp_selftest_struct
 *
 *   deno run -A scripts/gen_ffi.ts [--check]
 */
import { parseHeader } from "./ffi_gen/parse_header.ts";
import { writeSelftest } from "./ffi_gen/write_selftest.ts";
import { writeStructs } from "./ffi_gen/write_structs.ts";
import { writeSymbols } from "./ffi_gen/write_symbols.ts";

const root = new URL("../", import.meta.url);
const header = parseHeader(Deno.readTextFileSync(new URL("native/flashpage.h", root)));
const files: [path: string, text: string][] = [
  ["src/ffi/symbols.gen.ts", writeSymbols(header)],
  ["src/ffi/structs.gen.ts", writeStructs(header)],
  ["native/host/selftest.gen.h", writeSelftest(header)],
];

if (Deno.args.includes("--check")) {
  const stale = files.filter(([path, text]) => {
    try {
      return Deno.readTextFileSync(new URL(path, root)) !== text;
    } catch {
      return true;
    }
  });
  if (stale.length > 0) {
    console.error(`Stale: ${stale.map(([path]) => path).join(", ")}. Run \`deno task gen\` and commit.`);
    Deno.exit(1);
  }
} else {
  for (const [path, text] of files) Deno.writeTextFileSync(new URL(path, root), text);
}

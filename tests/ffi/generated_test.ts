/** What is generated from native/flashpage.h is as the generator would write it now, and the library has exactly those functions. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import process from "node:process";
import { parseHeader } from "../../scripts/ffi_gen/parse_header.ts";
import { writeSelftest } from "../../scripts/ffi_gen/write_selftest.ts";
import { writeStructs } from "../../scripts/ffi_gen/write_structs.ts";
import { writeSymbols } from "../../scripts/ffi_gen/write_symbols.ts";
import { loadNative } from "../../src/ffi/native.ts";
import { ABI_VERSION, SIGNATURES } from "../../src/ffi/symbols.gen.ts";
import { readElf } from "../support/elf.ts";
import { readText } from "../support/paths.ts";

const header = parseHeader(readText("native/flashpage.h"));
const stale = "is stale: run `deno task gen` and commit";

describe("files generated from native/flashpage.h", () => {
  it("src/ffi/symbols.gen.ts", () => {
    assert.ok(readText("src/ffi/symbols.gen.ts") === writeSymbols(header), stale);
  });

  it("src/ffi/structs.gen.ts", () => {
    assert.ok(readText("src/ffi/structs.gen.ts") === writeStructs(header), stale);
  });

  it("native/host/selftest.gen.h", () => {
    assert.ok(readText("native/host/selftest.gen.h") === writeSelftest(header), stale);
  });
});

describe("parseHeader", () => {
  it("reads offsets as C lays fields out", () => {
    const text =
      "#define FP_ABI_VERSION 3\nstruct fp_x {\n  u32 struct_size;\n  fp_address a; /* note */\n  i32 b;\n};\n";
    const { abiVersion, structs } = parseHeader(text);
    assert.equal(abiVersion, 3);
    assert.deepEqual(structs[0].fields.map(({ byteOffset }) => byteOffset), [0, 8, 16]);
    assert.equal(structs[0].byteLength, 24);
  });

  it("refuses what it cannot read, showing it", () => {
    const bad: [string, RegExp][] = [
      ["struct fp_x {\n  int a;\n};", /unknown type "int"/],
      ["struct fp_x {\n  i32 a[4];\n};", /cannot read "i32 a\[4\];" in struct fp_x/],
      ["FP_API void fp_y(i32 a);", /declares 1 functions, 0 could be read/],
      ["FP_API fp_status fp_y(char *a);", /cannot read parameter "char \*a"/],
    ];
    for (const [text, message] of bad) assert.throws(() => parseHeader(`#define FP_ABI_VERSION 1\n${text}`), message);
    assert.throws(() => parseHeader(""), /does not define FP_ABI_VERSION/);
  });
});

const native = await loadNative();

describe("the library", () => {
  it("has the ABI version of the tables", () => {
    assert.equal(native.fp_abi_version(), ABI_VERSION);
    assert.match(native.fp_build_id(), /^[0-9a-f]{16}$/);
  });

  it(
    "exports the functions of the header and nothing else",
    { skip: process.platform !== "linux" && "reads ELF" },
    () => {
      assert.deepEqual(readElf(readFileSync(native.path)).exports, Object.keys(SIGNATURES).sort());
    },
  );

  it("runs on any Linux that the runtimes run on", { skip: process.platform !== "linux" && "reads ELF" }, () => {
    const { versions, needed } = readElf(readFileSync(native.path));
    for (const version of versions) {
      const [, minor] = /^GLIBC_2\.(\d+)/.exec(version) ?? [];
      assert.ok(minor !== undefined && Number(minor) <= 17, `needs ${version}`);
    }
    const system = /^(libc|libm|libdl|libpthread|ld-linux-x86-64|ld-linux-aarch64)\.so\.\d$/;
    for (const name of needed) assert.match(name, system, "a library that a bare system may lack");
  });
});

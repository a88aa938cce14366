/** Compiles C++ with zig and links a library. Same sources, same bytes: no path, time or machine gets into the result. */
import { createHash } from "node:crypto";
import { deflateSync } from "fflate";
import type { Module } from "./kernels.ts";
import { forEachLimited, runProgram } from "./parallel.ts";
import { exists } from "./setup.ts";
import { hashOfSource } from "./source_hash.ts";
import { hostSources, type Platform, TARGETS } from "./sources.ts";

const FLAGS = [
  "-std=c++20",
  "-O3",
  "-DNDEBUG",
  "-g0",
  "-fPIC",
  "-fvisibility=hidden",
  "-fno-math-errno",
  "-ffp-contract=off",
  "-Wall",
  "-Wextra",
  "-Werror",
];

/** Builds one platform's library to `output`; without `modules`, one without CUDA. */
export async function buildLibrary(
  root: string,
  cache: string,
  zig: string,
  platform: Platform,
  modules: readonly Module[] | undefined,
  buildId: string,
  output: string,
): Promise<void> {
  const target = ["-target", TARGETS[platform]];
  const objects: string[] = [];
  const jobs: { args: string[]; output: string; label: string }[] = [];
  const add = (source: string, cpu?: string): void => {
    const path = `${root}/${source}`;
    const flags = [...FLAGS, ...(cpu === undefined ? [] : [`-mcpu=${cpu}`])];
    if (path.endsWith("/abi_library.cc")) flags.push(`-DFLASHPAGE_BUILD_ID="${buildId}"`);
    const args = ["c++", ...target, ...flags, `-ffile-prefix-map=${root}=.`, "-c", path];
    const key = createHash("sha256").update(args.join(" ").replaceAll(root, "")).update(hashOfSource(root, source))
      .digest("hex").slice(0, 24);
    const object = `${cache}/${key}.o`;
    objects.push(object);
    if (!exists(object)) jobs.push({ args, output: object, label: source });
  };
  for (const { path, cpu } of hostSources(root, platform, modules !== undefined)) {
    add(path, cpu);
  }
  if (modules !== undefined) {
    const text = embeddedTable(modules);
    const table = `${cache}/embedded_modules_${
      createHash("sha256").update(text.replaceAll(root, "")).digest("hex").slice(0, 16)
    }.cc`;
    Deno.writeTextFileSync(table, text);
    add(table.slice(root.length + 1));
  }
  await forEachLimited(jobs, Math.max(1, navigator.hardwareConcurrency), async ({ args, output: object, label }) => {
    const start = performance.now();
    // Renamed when whole, so that two builds at once can share the cache.
    const temporary = `${object}.${Deno.pid}`;
    await runProgram(zig, [...args, "-o", temporary], root);
    Deno.renameSync(temporary, object);
    console.log(`${label} for ${platform}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  });
  // nodelete: the library has threads, so it must stay mapped even if a runtime closes it.
  const linux = [
    "--build-id=none",
    "-z,defs",
    "-z,nodelete",
    "--gc-sections",
    `--version-script=${root}/native/host/exports.map`,
  ];
  const system = platform.startsWith("linux")
    ? [...linux.map((flag) => `-Wl,${flag}`), "-lpthread", "-ldl", "-lm"]
    // The library's name in itself: else the linker writes where it was built.
    : ["-Wl,-install_name,@rpath/libflashpage.dylib"];
  await runProgram(zig, ["c++", ...target, "-shared", "-s", "-o", output, ...objects, ...system], root);
}

/** The table that native/cuda/launch/embedded.h declares, as a C++ file. Its text changes with every module's content: paths end in a hash. */
function embeddedTable(modules: readonly Module[]): string {
  const lines = [
    '#include "../cuda/launch/embedded.h"',
    '#pragma clang diagnostic ignored "-Wc23-extensions"',
    "namespace fp::cuda {",
    "namespace {",
  ];
  const sizes = modules.map(({ path, arch }) => packModule(path, arch === 0));
  modules.forEach(({ path }, i) => {
    lines.push(`const unsigned char data${i}[] = {`, `#embed "${packedPath(path)}"`, "};");
  });
  lines.push("}  // namespace", "const EmbeddedModule embedded_modules[] = {");
  modules.forEach(({ name, arch }, i) =>
    lines.push(`    {"${name}", ${arch}, data${i}, sizeof data${i}, ${sizes[i]}},`)
  );
  if (modules.length === 0) lines.push('    {"", -1, nullptr, 0, 0},');
  lines.push("};", `const size_t num_embedded_modules = ${modules.length};`, "}  // namespace fp::cuda", "");
  return lines.join("\n");
}

const packedPath = (path: string): string => `${path}.deflate`;

/** Writes a module's bytes packed beside it, by a packer that is pinned, so that rebuilding gives the same bytes. Returns how many it unpacks to. */
function packModule(path: string, isText: boolean): number {
  const bytes = Deno.readFileSync(path);
  // The driver wants a NUL behind PTX.
  const data = new Uint8Array(bytes.length + (isText ? 1 : 0));
  data.set(bytes);
  const temporary = `${packedPath(path)}.${Deno.pid}`;
  Deno.writeFileSync(temporary, deflateSync(data, { level: 9 }));
  Deno.renameSync(temporary, packedPath(path));
  return data.length;
}

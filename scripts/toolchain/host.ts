/** Compiles C++ with zig and links a library. Same sources, same bytes: no path, time or machine gets into the result. */
import { createHash } from "node:crypto";
import type { Module } from "./kernels.ts";
import { forEachLimited, runProgram } from "./parallel.ts";
import { exists } from "./setup.ts";
import { hostSources, type Platform, TARGETS } from "./sources.ts";

const FLAGS = ["-std=c++20", "-O3", "-DNDEBUG", "-g0", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"];

/** Builds one platform's library to `output`. */
export async function buildLibrary(
  root: string,
  cache: string,
  zig: string,
  platform: Platform,
  modules: readonly Module[],
  buildId: string,
  output: string,
): Promise<void> {
  const target = ["-target", TARGETS[platform]];
  const headers = hashOfHeaders(root);
  const objects: string[] = [];
  const jobs: { args: string[]; output: string; label: string }[] = [];
  const add = (path: string, cpu: string | undefined, content: string): void => {
    const flags = [...FLAGS, ...(cpu === undefined ? [] : [`-mcpu=${cpu}`])];
    if (path.endsWith("/abi_library.cc")) flags.push(`-DFLASHPAGE_BUILD_ID="${buildId}"`);
    const args = ["c++", ...target, ...flags, `-ffile-prefix-map=${root}=.`, "-c", path];
    const key = createHash("sha256").update(args.join(" ").replaceAll(root, "")).update(headers).update(content).digest("hex").slice(0, 24);
    const object = `${cache}/${key}.o`;
    objects.push(object);
    if (!exists(object)) jobs.push({ args: [...args, "-o", object], output: object, label: path.replace(`${root}/`, "") });
  };
  for (const { path, cpu } of hostSources(root, platform)) add(`${root}/${path}`, cpu, Deno.readTextFileSync(`${root}/${path}`));
  const hasCuda = platform.startsWith("linux");
  if (hasCuda) {
    const table = `${cache}/embedded_modules.cc`;
    const text = embeddedTable(modules);
    Deno.writeTextFileSync(table, text);
    add(table, undefined, text);
  }
  await forEachLimited(jobs, Math.max(1, navigator.hardwareConcurrency), async ({ args, label }) => {
    const start = performance.now();
    await runProgram(zig, args, root);
    console.log(`${label} for ${platform}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  });
  const system = hasCuda ? ["-Wl,--build-id=none", "-Wl,-z,defs", "-Wl,--gc-sections", "-lpthread", "-ldl", "-lm"] : [];
  await runProgram(zig, ["c++", ...target, "-shared", "-s", "-o", output, ...objects, ...system], root);
}

/** The table that native/cuda/launch/embedded.h declares, as a C++ file. Its text changes with every module's content: paths end in a hash. */
function embeddedTable(modules: readonly Module[]): string {
  const lines = ['#include "../cuda/launch/embedded.h"', '#pragma clang diagnostic ignored "-Wc23-extensions"', "namespace fp::cuda {", "namespace {"];
  modules.forEach(({ path, arch }, i) => {
    // PTX is text: the driver wants a NUL behind it.
    lines.push(`alignas(64) const unsigned char data${i}[] = {`, `#embed "${path}"`, arch === 0 ? ", 0" : "", "};");
  });
  lines.push("}  // namespace", "const EmbeddedModule embedded_modules[] = {");
  modules.forEach(({ name, arch }, i) => lines.push(`    {"${name}", ${arch}, data${i}, sizeof data${i}},`));
  if (modules.length === 0) lines.push('    {"", -1, nullptr, 0},');
  lines.push("};", `const size_t num_embedded_modules = ${modules.length};`, "}  // namespace fp::cuda", "");
  return lines.join("\n");
}

function hashOfHeaders(root: string): string {
  const hash = createHash("sha256");
  const walk = (folder: string): void => {
    for (const entry of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory && entry.name !== "prebuilt" && entry.name !== "build") walk(path);
      else if (entry.isFile && entry.name.endsWith(".h")) hash.update(path.slice(root.length)).update(Deno.readTextFileSync(path));
    }
  };
  walk(`${root}/native`);
  return hash.digest("hex");
}

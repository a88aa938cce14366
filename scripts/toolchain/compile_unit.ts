/**
 * Compiles one CUDA unit in a process of its own (NVRTC works on one unit at a time in a process).
 *
 *   deno run -A scripts/toolchain/compile_unit.ts <libnvrtc> <root> <unit> <sm_80|sm_90a> <output prefix> <include>...
 */
import { compile } from "./nvrtc.ts";

const [library, root, unit, arch, output, ...includes] = Deno.args;
const options = [
  `--gpu-architecture=${arch}`,
  "--std=c++20",
  "-default-device",
  "--ptxas-options=-v",
  "--diag-suppress=1444",
  `--include-path=${root}/native/cuda`,
  ...includes.map((folder) => `--include-path=${folder}`),
];
try {
  const { cubin, ptx, log } = compile(library, unit, Deno.readTextFileSync(`${root}/${unit}`), options);
  Deno.writeFileSync(`${output}.cubin`, cubin);
  // The header names the compiler's own PTX version; nothing here needs more than 8.0, which drivers from 525 on read, but for hints
  // about partly used loads, which are left out.
  const text = new TextDecoder().decode(ptx).replace(/\0+$/, "").replace(/^\.version \d+\.\d+$/m, ".version 8.0");
  Deno.writeTextFileSync(`${output}.ptx`, text.replace(/^\t\.pragma "used_bytes_mask \d+";\n/gm, ""));
  Deno.writeTextFileSync(`${output}.log`, log);
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}

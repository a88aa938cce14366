/** Compiles every CUDA unit for every architecture it is for, with a cache by content, and reads each kernel's resources from the log. */
import { createHash } from "node:crypto";
import { forEachLimited, runProgram } from "./parallel.ts";
import { exists, type Toolchain } from "./setup.ts";
import { hashOfSource } from "./source_hash.ts";
import { kernelUnits } from "./sources.ts";

/** A compiled module as the library embeds it. `arch`: 80, 90, or 0 for PTX text. */
export interface Module {
  name: string;
  arch: number;
  path: string;
}

/** What one kernel uses, as ptxas says. */
export interface KernelRecord {
  module: string;
  arch: string;
  kernel: string;
  registers: number;
  spillBytes: number;
  /** True: its `wgmma` products wait for one another, since the compiler could not prove that they need not. */
  serialisesProducts: boolean;
  stackBytes: number;
  staticSharedBytes: number;
}

const NUM_PROCESSES = Math.max(1, navigator.hardwareConcurrency);

/** Compiles what is not in `cache` yet: cubins for the GPUs we tune for, and PTX for newer ones. */
export async function buildKernels(
  root: string,
  cache: string,
  toolchain: Toolchain,
): Promise<{ modules: Module[]; records: KernelRecord[] }> {
  const modules: Module[] = [];
  const records: KernelRecord[] = [];
  const jobs: { unit: string; arch: string; output: string }[] = [];
  for (const unit of kernelUnits(root)) {
    const name = unit.replace(/^.*\//, "").replace(/\.cu$/, "");
    const archs = name.startsWith("sm90_") ? ["sm_90a"] : ["sm_80", "sm_90a"];
    const content = hashOfUnit(root, unit);
    for (const arch of archs) {
      const output = `${cache}/${name}.${arch}.${content}`;
      if (!exists(`${output}.log`)) jobs.push({ unit, arch, output });
      modules.push({ name, arch: arch === "sm_80" ? 80 : 90, path: `${output}.cubin` });
      if (arch === "sm_80") modules.push({ name, arch: 0, path: `${output}.ptx` });
    }
  }
  await forEachLimited(jobs, NUM_PROCESSES, async ({ unit, arch, output }) => {
    const start = performance.now();
    const script = `${root}/scripts/toolchain/compile_unit.ts`;
    await runProgram(Deno.execPath(), [
      "run",
      "-A",
      "--no-config",
      script,
      toolchain.nvrtc,
      root,
      unit,
      arch,
      output,
      ...toolchain.cudaIncludes,
    ]);
    console.log(`${unit} for ${arch}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  });
  for (const { name, arch, path } of modules) {
    if (arch !== 0) {
      records.push(
        ...readLog(name, arch === 80 ? "sm_80" : "sm_90a", Deno.readTextFileSync(path.replace(/\.cubin$/, ".log"))),
      );
    }
  }
  return { modules, records };
}

/** Of what a unit's code depends on: its sources, and the compile script. */
function hashOfUnit(root: string, unit: string): string {
  const hash = createHash("sha256").update(hashOfSource(root, unit));
  for (const script of ["compile_unit.ts", "nvrtc.ts", "setup.ts"]) {
    hash.update(Deno.readTextFileSync(`${root}/scripts/toolchain/${script}`));
  }
  return hash.digest("hex").slice(0, 16);
}

function readLog(module: string, arch: string, log: string): KernelRecord[] {
  const records: KernelRecord[] = [];
  const serialised = new Set(
    [...log.matchAll(/wgmma\.mma_async instructions are serialized[^\n]* function '(\w+)'/g)].map(([, kernel]) =>
      kernel
    ),
  );
  const pattern =
    /Compiling entry function '(\w+)' for '\w+'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads[\s\S]*?Used (\d+) registers([^\n]*)/g;
  for (const [, kernel, stack, stores, loads, registers, rest] of log.matchAll(pattern)) {
    const staticSharedBytes = Number(/(\d+) bytes smem/.exec(rest)?.[1] ?? 0);
    records.push({
      module,
      arch,
      kernel,
      registers: Number(registers),
      spillBytes: Number(stores) + Number(loads),
      serialisesProducts: serialised.has(kernel),
      stackBytes: Number(stack),
      staticSharedBytes,
    });
  }
  if (records.length === 0) throw new Error(`The compiler's log of ${module} for ${arch} names no kernel:\n${log}`);
  return records.sort((a, b) => a.kernel < b.kernel ? -1 : 1);
}

/**
 * Builds the emulated CUDA driver and the kernels that run on it, with g++: objects and libraries lie in .cache/cuda_emulation, named by hashes of
 * what they are made of, so that only what has changed is compiled.
 *
 *   deno run -A tests/cuda_emulation/build.ts      prints the folder; docs/emulation.md says what to do with it
 */
import { spawn } from "node:child_process";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ROOT } from "../support/paths.ts";

const HERE = "tests/cuda_emulation";
const CACHE = `${ROOT}/.cache/cuda_emulation`;
/** The architectures that the device can be. */
const ARCHS = [80, 90] as const;

const OPTIMISATION = process.env.FLASHPAGE_EMULATED_DEBUG ? ["-O0", "-g"] : ["-O2", "-march=native"];
const COMMON = ["-std=c++20", ...OPTIMISATION, "-fPIC", "-Wall", "-Wextra", `-I${HERE}/runtime`];
/** A CTA's fibers never leave their OS thread, so thread-local addresses may be kept; kernels' own warnings are the CUDA compiler's business. */
const KERNEL = [
  ...COMMON,
  "-fvisibility=hidden",
  "-fno-extern-tls-init",
  "-Wno-unknown-pragmas",
  "-Wno-unused",
  "-Wno-sign-compare",
  `-I${HERE}/kernel_side`,
  "-Inative/cuda",
  "-include",
  "cuda_builtins.h",
  "-include",
  "library.h",
];
/** What a kernel's definition becomes. */
const KERNEL_NAME = /extern "C" __attribute__\(\(visibility\("default"\)\)\) void\s+(\w+)\(/g;

/** A program's standard output. @throws {Error} with what it wrote to standard error, if it fails. */
function run(program: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"] });
    const [output, errors]: [Uint8Array[], Uint8Array[]] = [[], []];
    child.stdout.on("data", (data) => output.push(data));
    child.stderr.on("data", (data) => errors.push(data));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(Buffer.concat(output).toString());
      else reject(new Error(`${program} ${args.join(" ")}\n${Buffer.concat(errors)}`));
    });
    child.stdin.on("error", () => {}); // it ended before it had read all: its status says so
    child.stdin.end(input);
  });
}

function hashOf(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 20);
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** Made under another name first, so that two builds at a time do no harm. */
async function make(path: string, write: (path: string) => Promise<unknown>): Promise<string> {
  if (!existsSync(path)) {
    const unfinished = `${path}.${process.pid}`;
    await write(unfinished);
    renameSync(unfinished, path);
  }
  return path;
}

/** Compiles a source to an object. Of kernels, every one is registered by its name. */
async function compile(source: string, flags: readonly string[], compiler: string): Promise<string> {
  let text = await run("g++", ["-E", ...flags, "-x", "c++", source]);
  for (const [, name] of [...text.matchAll(KERNEL_NAME)]) {
    text += `static const ::emulation::RegisteredKernel emulated_${name}("${name}", ${name});\n`;
  }
  return await make(`${CACHE}/objects/${hashOf(text, ...flags, compiler)}.o`, (path) => {
    // Includes are done.
    const rest = flags.filter((flag, i) => !/^-I|^-include$|^-D/.test(flag) && flags[i - 1] !== "-include");
    return run("g++", [...rest, "-c", "-x", "c++-cpp-output", "-", "-o", path], text);
  });
}

function sourcesIn(folder: string, extension: string): string[] {
  return readdirSync(`${ROOT}/${folder}`).filter((name) => name.endsWith(extension)).sort()
    .map((name) => `${folder}/${name}`);
}

/** A library or program: its name, what it is made of, what the linker is told. */
interface Target {
  name: string;
  sources: { path: string; flags: readonly string[] }[];
  link: (folder: string) => readonly string[];
}

const withFlags = (paths: readonly string[], flags: readonly string[]) => paths.map((path) => ({ path, flags }));
const DRIVER: Target = {
  name: "libcuda.so.1",
  sources: withFlags([...sourcesIn(`${HERE}/runtime`, ".cc"), ...sourcesIn(`${HERE}/driver`, ".cc")], COMMON),
  link: () => ["-shared", "-Wl,-soname,libcuda.so.1", "-lpthread", "-ldl"],
};

/** Kernels for one architecture, as a library that the driver finds beside itself. */
function kernelLibrary(arch: number, paths: readonly string[]): Target {
  return {
    name: `kernels_${arch}.so`,
    sources: withFlags([...paths, `${HERE}/kernel_side/library.cc`], [...KERNEL, `-D__CUDA_ARCH__=${arch}0`]),
    link: (folder) => ["-shared", `${folder}/libcuda.so.1`, "-Wl,-rpath,$ORIGIN"],
  };
}

/** Builds what is not there yet, into one folder for the targets, which is returned. */
async function build(targets: readonly Target[]): Promise<string> {
  mkdirSync(`${CACHE}/objects`, { recursive: true });
  // The compiler, and the processor that -march=native means.
  const compiler = await run("g++", ["--version"]) + await run("g++", [...OPTIMISATION, "-Q", "--help=target"]);
  const objects = new Map<Target, string[]>(targets.map(({ sources }, i) => [targets[i], sources.map(() => "")]));
  const jobs = targets.flatMap((target) => target.sources.map((source, i) => ({ target, ...source, i })));
  // The longest first.
  jobs.sort((a, b) => Number(b.path.includes("/sm90_")) - Number(a.path.includes("/sm90_")));
  await forEach(jobs, async ({ target, path, flags, i }) => {
    objects.get(target)![i] = await compile(path, flags, compiler);
  });
  const folder = `${CACHE}/${hashOf(...targets.flatMap((target) => [target.name, ...objects.get(target)!]))}`;
  mkdirSync(folder, { recursive: true });
  for (const target of targets) {
    const args = [...objects.get(target)!, ...target.link(folder)];
    await make(`${folder}/${target.name}`, (path) => run("g++", ["-o", path, ...args]));
  }
  return folder;
}

/** Builds the driver with all kernels. Returns the folder of `libcuda.so.1`. @throws {Error} what the compiler says, if it fails. */
export function buildEmulation(): Promise<string> {
  const instances = sourcesIn("native/cuda/kernels/instances", ".cu");
  const libraries = ARCHS.map((arch) =>
    kernelLibrary(arch, instances.filter((path) => arch === 90 || !path.includes("/sm90_")))
  );
  return build([DRIVER, ...libraries]);
}

/** Builds the driver with kernels that have a fault each. Returns the program that runs one. */
export async function buildFaulty(): Promise<string> {
  const program: Target = {
    name: "run_faulty",
    sources: withFlags([`${HERE}/faulty/run_faulty.cc`], COMMON),
    link: (folder) => [`${folder}/libcuda.so.1`, "-Wl,-rpath,$ORIGIN"],
  };
  const kernels = kernelLibrary(90, [`${HERE}/faulty/faulty_kernels.cu`]);
  return `${await build([DRIVER, kernels, program])}/run_faulty`;
}

/** Builds fp8_codes/fp8_codes.cc. Returns the program. */
export async function buildFp8Codes(): Promise<string> {
  const program: Target = {
    name: "fp8_codes",
    sources: withFlags([`${HERE}/fp8_codes/fp8_codes.cc`], [...KERNEL, "-D__CUDA_ARCH__=800"]),
    link: (folder) => [`${folder}/libcuda.so.1`, "-Wl,-rpath,$ORIGIN"],
  };
  return `${await build([DRIVER, program])}/fp8_codes`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(await buildEmulation());

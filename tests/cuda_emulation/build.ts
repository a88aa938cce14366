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
const INSTANCES = "native/cuda/kernels/instances";
/** The architectures that the device can be. */
export const ARCHS = [80, 90] as const;

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

/** Builds what is not there yet. Returns the folder of `libcuda.so.1`. @throws {Error} what the compiler says, if it fails. */
export async function buildEmulation(): Promise<string> {
  mkdirSync(`${CACHE}/objects`, { recursive: true });
  // The compiler, and the processor that -march=native means.
  const compiler = await run("g++", ["--version"]) + await run("g++", ["-march=native", "-Q", "--help=target"]);
  const driver = [...sourcesIn(`${HERE}/runtime`, ".cc"), ...sourcesIn(`${HERE}/driver`, ".cc")];
  const jobs = driver.map((source) => ({ source, flags: COMMON, library: "libcuda.so.1" }));
  for (const arch of ARCHS) {
    const library = `kernels_${arch}.so`;
    const flags = [...KERNEL, `-D__CUDA_ARCH__=${arch}0`];
    jobs.push({ source: `${HERE}/kernel_side/library.cc`, flags, library });
    for (const source of sourcesIn(INSTANCES, ".cu")) {
      if (arch === 90 || !source.includes("/sm90_")) jobs.push({ source, flags, library });
    }
  }
  // The longest first.
  jobs.sort((a, b) => Number(b.source.includes("/sm90_")) - Number(a.source.includes("/sm90_")));
  const objects = new Map<string, string[]>();
  await forEach(jobs, async ({ source, flags, library }) => {
    const object = await compile(source, flags, compiler);
    objects.set(library, [...objects.get(library) ?? [], object].sort());
  });
  const folder = `${CACHE}/${hashOf(...[...objects].flat(2).sort())}`;
  mkdirSync(folder, { recursive: true });
  const link = (library: string, extra: readonly string[]) =>
    make(`${folder}/${library}`, (path) => run("g++", ["-shared", "-o", path, ...objects.get(library)!, ...extra]));
  await link("libcuda.so.1", ["-Wl,-soname,libcuda.so.1", "-lpthread", "-ldl"]);
  for (const arch of ARCHS) await link(`kernels_${arch}.so`, [`${folder}/libcuda.so.1`, "-Wl,-rpath,$ORIGIN"]);
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(await buildEmulation());

/** Which files a library is made of, and how each is compiled. The rules go by folder and by suffix, so a new file needs no list. */

/** Folders of native/prebuilt. */
export type Platform = "linux-x64" | "linux-arm64" | "darwin-arm64";

/** All platforms, the one that is tested first. */
export const PLATFORMS: readonly Platform[] = ["linux-x64", "linux-arm64", "darwin-arm64"];

/** Zig's name of a platform; the glibc is the oldest that Deno or Bun run on. */
export const TARGETS: Readonly<Record<Platform, string>> = {
  "linux-x64": "x86_64-linux-gnu.2.17",
  "linux-arm64": "aarch64-linux-gnu.2.17",
  "darwin-arm64": "aarch64-macos",
};

/** Instruction sets by file suffix, for x86-64 and for arm64. A file of the other architecture is left out. */
const SUFFIXES: Readonly<Record<string, { arch: "x64" | "arm64"; cpu: string }>> = {
  avx2: { arch: "x64", cpu: "x86_64_v3" },
  avx512: { arch: "x64", cpu: "x86_64_v4+avx512bf16+avx512vbmi" },
  amx: { arch: "x64", cpu: "x86_64_v4+avx512bf16+avx512vbmi+amx_tile+amx_bf16" },
  neon: { arch: "arm64", cpu: "generic" },
};

/** One C++ file and the instruction set it may use. */
export interface HostSource {
  path: string;
  cpu: string | undefined;
}

/** Files of a folder below native/ with an ending, sorted. */
export function list(root: string, folder: string, ending: string): string[] {
  const names: string[] = [];
  try {
    for (const entry of Deno.readDirSync(`${root}/${folder}`)) {
      if (entry.isFile && entry.name.endsWith(ending)) names.push(`${folder}/${entry.name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/** C++ files of a platform's library. Without CUDA, a stand-in says that there is none. */
export function hostSources(root: string, platform: Platform, hasCuda: boolean): HostSource[] {
  const arch = platform.endsWith("x64") ? "x64" : "arm64";
  const launch = list(root, "native/cuda/launch", ".cc").filter((path) => path.endsWith("/unavailable.cc") !== hasCuda);
  const sources: HostSource[] = [];
  for (const path of [...list(root, "native/host", ".cc"), ...list(root, "native/cpu", ".cc"), ...launch]) {
    const suffix = SUFFIXES[/_([a-z0-9]+)\.cc$/.exec(path)?.[1] ?? ""];
    if (suffix === undefined) sources.push({ path, cpu: undefined });
    else if (suffix.arch === arch) sources.push({ path, cpu: suffix.cpu });
  }
  return sources;
}

/** CUDA units: each is a module of its own. */
export function kernelUnits(root: string): string[] {
  return list(root, "native/cuda/kernels/instances", ".cu");
}

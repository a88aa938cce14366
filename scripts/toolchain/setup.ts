/** The compilers: pinned pip packages in a user cache, so that building needs Python with pip and nothing else. */

const PACKAGES = [
  "nvidia-cuda-nvrtc-cu12==12.9.86",
  "nvidia-cuda-runtime-cu12==12.9.79",
  "nvidia-cuda-cccl-cu12==12.9.27",
  "ziglang==0.15.2",
];

/** Where the compilers are. */
export interface Toolchain {
  /** libnvrtc.so.12 */
  nvrtc: string;
  /** Folders with the CUDA headers. */
  cudaIncludes: string[];
  /** The zig program. */
  zig: string;
}

/** Installs what is missing. @throws {Error} with pip's words if it fails. */
export async function setUpToolchain(): Promise<Toolchain> {
  const home = Deno.env.get("HOME");
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? (home === undefined ? undefined : `${home}/.cache`);
  if (cache === undefined) throw new Error("Cannot set up the toolchain: neither HOME nor XDG_CACHE_HOME is set.");
  const key = PACKAGES.map((name) => name.replace(/^nvidia-cuda-|-cu12/g, "").replace("==", "-")).join("_");
  const folder = `${cache}/flashpage-toolchain/${key}`;
  if (!exists(`${folder}/.complete`)) {
    console.log(`Installing ${PACKAGES.join(", ")} into ${folder}`);
    const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", folder, ...PACKAGES];
    const { success, stderr } = await new Deno.Command("python3", { args: pip, stderr: "piped" }).output();
    if (!success) throw new Error(`Cannot set up the toolchain: pip failed.\n${new TextDecoder().decode(stderr)}`);
    Deno.writeTextFileSync(`${folder}/.complete`, "");
  }
  return {
    nvrtc: `${folder}/nvidia/cuda_nvrtc/lib/libnvrtc.so.12`,
    cudaIncludes: [`${folder}/nvidia/cuda_runtime/include`, `${folder}/nvidia/cuda_cccl/include`],
    zig: `${folder}/ziglang/zig`,
  };
}

/** True if a file or folder is there. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

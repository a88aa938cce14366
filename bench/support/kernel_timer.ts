/** Timing by the GPU's own records of when kernels ran, as profilers read them (CUPTI). */
import { existsSync } from "node:fs";
import type { Device } from "../../mod.ts";

/** When a kernel ran, in nanoseconds. */
export interface KernelRecord {
  readonly name: string;
  readonly begin: bigint;
  readonly end: bigint;
}

/**
 * Microseconds of each run: from the start of its first kernel to the end of its last. Kernels that have `between` in their names part the runs, and
 * belong to none.
 *
 * @param records in the order in which the kernels began.
 */
export function timesOfRuns(records: readonly KernelRecord[], between: string): number[] {
  const times: number[] = [];
  let begin: bigint | undefined;
  let last = 0n;
  const close = () => {
    if (begin !== undefined) times.push(Number(last - begin) / 1000);
    begin = undefined;
  };
  for (const record of records) {
    if (record.name.includes(between)) {
      close();
      continue;
    }
    if (begin === undefined) [begin, last] = [record.begin, record.end];
    if (record.end > last) last = record.end;
  }
  close();
  return times;
}

const SOURCE = new URL("../cuda/kernel_times.c", import.meta.url).pathname;
// Of `struct kernel_time` there.
const RECORD_BYTES = 64;
const NAME_OFFSET = 16;
const MAX_RECORDS = 65536;
const SYMBOLS = {
  kernel_times_begin: { parameters: [], result: "i32" },
  kernel_times_end: { parameters: ["buffer", "i64"], result: "i64" },
} as const;

/** Tells how long kernels ran. Needs Deno, a C compiler, and CUPTI, which comes with CUDA and with PyTorch. */
export class KernelTimer implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #folder: string;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, folder: string) {
    this.#library = library;
    this.#folder = folder;
  }

  /** Undefined where that can't be, with the reason on standard error. */
  static open(): KernelTimer | undefined {
    const cupti = "Deno" in globalThis ? findCupti() : undefined;
    if (cupti === undefined) {
      console.error("Timing by events alone: CUPTI was not found.");
      return undefined;
    }
    const { includes, library } = cupti;
    const folder = Deno.makeTempDirSync();
    const path = `${folder}/kernel_times.so`;
    const options = ["-O2", "-shared", "-fPIC", ...includes.map((include) => `-I${include}`)];
    const { success, stderr } = new Deno.Command("cc", { args: [...options, SOURCE, "-o", path, library] })
      .outputSync();
    if (!success) {
      Deno.removeSync(folder, { recursive: true });
      console.error(`Timing by events alone: ${SOURCE} did not compile.\n${new TextDecoder().decode(stderr)}`);
      return undefined;
    }
    // The library that it was linked with is found by its name once it is loaded.
    Deno.dlopen(library, {});
    return new KernelTimer(Deno.dlopen(path, SYMBOLS), folder);
  }

  /**
   * Microseconds of each of `calls` runs on an otherwise idle device, as `timesOfRuns`. `before` is enqueued ahead of each, outside of the time: all its
   * kernels have `beforeName` in their names.
   *
   * @throws {Error} with CUPTI's code; or if records were lost.
   */
  async time(
    device: Device,
    run: () => void,
    calls: number,
    before: () => void,
    beforeName: string,
  ): Promise<number[]> {
    const { kernel_times_begin: begin, kernel_times_end: end } = this.#library.symbols;
    const error = begin();
    if (error !== 0) throw new Error(`CUPTI could not begin to record kernels: error ${error}.`);
    for (let i = 0; i < calls; i++) {
      before();
      run();
    }
    await device.synchronize();
    const bytes = new Uint8Array(RECORD_BYTES * MAX_RECORDS);
    const count = Number(end(bytes, BigInt(MAX_RECORDS)));
    if (count < 0) throw new Error(`CUPTI could not record kernels: error ${-count}.`);
    const times = timesOfRuns(Array.from({ length: count }, (_, i) => recordAt(bytes, i)), beforeName);
    if (times.length !== calls) throw new Error(`CUPTI recorded ${times.length} of ${calls} runs.`);
    return times;
  }

  [Symbol.dispose](): void {
    this.#library.close();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function recordAt(bytes: Uint8Array, index: number): KernelRecord {
  const record = bytes.subarray(RECORD_BYTES * index, RECORD_BYTES * (index + 1));
  const view = new DataView(record.buffer, record.byteOffset);
  const name = record.subarray(NAME_OFFSET);
  const length = name.indexOf(0);
  return {
    name: new TextDecoder().decode(length < 0 ? name : name.subarray(0, length)),
    begin: view.getBigUint64(0, true),
    end: view.getBigUint64(8, true),
  };
}

/** Where CUDA or its Python packages keep CUPTI: folders of headers, and the library. */
function findCupti(): { includes: string[]; library: string } | undefined {
  const roots = ["/usr/local/cuda", "/usr/local/cuda/extras/CUPTI", ...cudaPackages()];
  const includes = roots.map((root) => `${root}/include`).filter((path) => existsSync(path));
  if (!includes.some((path) => existsSync(`${path}/cupti.h`))) return undefined;
  const folders = roots.flatMap((root) => [`${root}/lib64`, `${root}/lib`]);
  const names = ["libcupti.so", "libcupti.so.13", "libcupti.so.12"];
  const library = folders.flatMap((folder) => names.map((name) => `${folder}/${name}`)).find((path) =>
    existsSync(path)
  );
  return library === undefined ? undefined : { includes, library };
}

function cudaPackages(): string[] {
  const program =
    "import glob, site; print('\\n'.join(f for d in site.getsitepackages() for f in glob.glob(d + '/nvidia/*')))";
  try {
    const { stdout } = new Deno.Command("python3", { args: ["-c", program], stderr: "null" }).outputSync();
    return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  } catch {
    return []; // no Python
  }
}

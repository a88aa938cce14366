/** Timing by device events. */
import { argmax, type Device, type Tensor } from "../../mod.ts";

/** Median of numbers; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Resolves after so many milliseconds. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Microseconds of each of `calls` runs, every one between two events. `before` is enqueued ahead of each, outside of the time. */
export async function timeCalls(
  device: Device,
  run: () => void,
  calls: number,
  before?: () => void,
): Promise<number[]> {
  const pairs = Array.from({ length: calls }, () => [device.createEvent(), device.createEvent()]);
  for (const [start, end] of pairs) {
    before?.();
    start.record();
    run();
    end.record();
  }
  await device.synchronize();
  const times = pairs.map(([start, end]) => 1000 * start.millisecondsUntil(end));
  for (const event of pairs.flat()) event.dispose();
  return times;
}

/** Reads five times what the L2 cache holds, so that what comes next finds nothing of its own there, and no dirty lines. */
export class L2Flush implements Disposable {
  /** In the names of its kernels, and of none that is measured beside them. */
  static readonly KERNEL_NAME = "argmax";

  readonly #memory: Tensor;
  readonly #out: Tensor;

  constructor(device: Device) {
    const rows = 1024;
    const columns = Math.ceil(5 * Math.max(device.facts.l2CacheBytes, 1 << 20) / (2 * rows));
    this.#memory = device.tensor([rows, columns], "bf16");
    this.#memory.fillBytes(0);
    this.#out = device.tensor([rows], "i32");
  }

  run(): void {
    argmax({ logits: this.#memory, out: this.#out });
  }

  [Symbol.dispose](): void {
    this.#memory.dispose();
    this.#out.dispose();
  }
}

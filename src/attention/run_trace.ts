/**
 * When and where each work item of a run was computed, as the device's own clock says.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { TRACE_HEADER, TRACE_RECORD } from "../ffi/structs.gen.ts";

/** How to make a {@linkcode RunTrace}. */
export interface RunTraceOptions {
  /** Records that there is room for, of 32 bytes each: one for each work item of each run. 65536 by default. */
  capacity?: number;
  /** Stream of the attentions that are traced; the device's own by default. */
  stream?: Stream;
}

/** One work item, or one unit of the queue (an item of one KV head), as it ran. */
export interface TraceRecord {
  /** Index of the work item in the plan. */
  readonly workItem: number;
  /** First KV head that was computed. */
  readonly kvHeadBegin: number;
  /** KV heads that were computed, one after another. */
  readonly numKvHeads: number;
  /** Number of the SM, or of the worker thread. */
  readonly processor: number;
  /** What `processor` counts: SMs of a GPU, or worker threads of the CPU. */
  readonly processorKind: "SM" | "worker";
  /** CTA of its launch: whose share the item is in, or which drew it from the queue. */
  readonly cta: number;
  /** In ns since the first record of the reading began. A GPU's clock moves on in steps, of 32 ns to a microsecond. */
  readonly beginNs: number;
  /** The same of its end; not before `beginNs`. */
  readonly endNs: number;
}

/** What {@linkcode RunTrace.read} gives. */
export interface TraceReading {
  /** Ordered by `beginNs`. */
  readonly records: TraceRecord[];
  /** Items for which there was no room. */
  readonly numDropped: number;
}

const MAX_CAPACITY = 0x7fffffff;

/**
 * Records of when each work item of a run began and ended, and on which SM or worker thread. Pass it to `BatchAttention.run`; every run adds its
 * items, until `reset`. The results are the same with a trace and without.
 *
 * A GPU takes two clock readings and one atomic addition an item for it, the CPU the same. Merges of a launch of their own are not recorded.
 */
export class RunTrace implements Disposable {
  /** Where the traced attentions run. */
  readonly device: Device;
  /** Stream of the traced attentions. */
  readonly stream: Stream;
  /** Records that there is room for. */
  readonly capacity: number;
  readonly #words: Tensor;

  /** A trace without records. @throws {InvalidArgumentError} unless `capacity` is an integer > 0 and the stream is the device's. {OutOfMemoryError} if 32 bytes a record are too many. */
  constructor(device: Device, { capacity = 65536, stream = device.stream }: RunTraceOptions = {}) {
    device.assertOpen("create a run trace");
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
      throw new InvalidArgumentError(
        `Cannot create a run trace: capacity is ${capacity}. Pass an integer from 1 to ${MAX_CAPACITY}.`,
      );
    }
    if (stream.device !== device) {
      throw new InvalidArgumentError("Cannot create a run trace: the stream belongs to another device.");
    }
    this.device = device;
    this.stream = stream;
    this.capacity = capacity;
    this.#words = device.tensor([TRACE_HEADER.words + capacity * TRACE_RECORD.words], "i32");
    try {
      this.reset();
    } catch (error) {
      this.#words.dispose();
      throw error;
    }
  }

  /** Enqueues forgetting all records: runs enqueued before it are forgotten, those after it are not. @throws {DisposedError} after `dispose`. */
  reset(): void {
    this.#assertOpen("reset a run trace");
    this.#words.slice(0, TRACE_HEADER.words).fillBytes(0, this.stream);
  }

  /** The records of all runs enqueued since the last `reset`, once they have ended. @throws {DisposedError} after `dispose`. */
  async read(): Promise<TraceReading> {
    this.#assertOpen("read a run trace");
    const header = await this.#words.slice(0, TRACE_HEADER.words).read(this.stream);
    // More runs may be under way meanwhile: their records lie behind these.
    const count = Math.min(header[TRACE_HEADER.numRecords] >>> 0, this.capacity);
    const body = this.#words.slice(TRACE_HEADER.words, TRACE_HEADER.words + count * TRACE_RECORD.words);
    const words = await body.read(this.stream) as Int32Array<ArrayBuffer>;
    return { records: this.#parse(words), numDropped: header[TRACE_HEADER.numDropped] >>> 0 };
  }

  /** Not for users: the address for a run on that device and stream. @throws {InvalidArgumentError | DisposedError} if it cannot be traced by this. */
  addressFor(device: Device, stream: Stream): number {
    this.#assertOpen("trace a run");
    if (device !== this.device) {
      throw new InvalidArgumentError(
        `Cannot run attention: the trace lies on ${this.device.name}, the attention on ${device.name}.`,
      );
    }
    if (stream !== this.stream) {
      throw new InvalidArgumentError(
        "Cannot run attention: its stream is another than the trace's. Create the trace with the attention's stream.",
      );
    }
    return this.#words.address;
  }

  #parse(words: Int32Array<ArrayBuffer>): TraceRecord[] {
    const times = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2);
    const timeAt = (word: number): bigint => times[word / 2];
    let first = words.length === 0 ? 0n : timeAt(TRACE_RECORD.beginLow);
    for (let at = 0; at < words.length; at += TRACE_RECORD.words) {
      const begin = timeAt(at + TRACE_RECORD.beginLow);
      if (begin < first) first = begin;
    }
    const processorKind = this.device.kind === "cpu" ? "worker" : "SM";
    const records: TraceRecord[] = [];
    for (let at = 0; at < words.length; at += TRACE_RECORD.words) {
      const heads = words[at + TRACE_RECORD.kvHeads];
      records.push({
        workItem: words[at + TRACE_RECORD.workItem],
        kvHeadBegin: heads & 0xffff,
        numKvHeads: heads >>> 16,
        processor: words[at + TRACE_RECORD.processor],
        processorKind,
        cta: words[at + TRACE_RECORD.cta],
        beginNs: Number(timeAt(at + TRACE_RECORD.beginLow) - first),
        endNs: Number(timeAt(at + TRACE_RECORD.endLow) - first),
      });
    }
    return records.sort((a, b) => a.beginNs - b.beginNs || a.endNs - b.endNs);
  }

  #assertOpen(action: string): void {
    if (this.#words.disposed) throw new DisposedError(`Cannot ${action}: the trace was disposed.`);
    this.device.assertOpen(action);
  }

  /** Gives the memory back once work under way is done. A second call does nothing. */
  dispose(): void {
    this.#words.dispose();
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Streams: work enqueued on one runs in order, and beside the work of other streams. The same on the CPU, where a stream has a thread.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import { StatusCode } from "../ffi/structs.gen.ts";
import type { Device } from "./device.ts";
import type { Event } from "./event.ts";
import { pollUntil } from "./poll.ts";

const handleBuffer = new Float64Array(1);

/** A recording of work under way: see `capture`. */
export interface Capture {
  /** Called before each launch of the graph, in order. What they throw keeps it from running. */
  readonly atLaunch: (() => void)[];
}

/** A queue of work on a device. Made by `Device.createStream`. */
export class Stream implements Disposable {
  /** The device it is of. */
  readonly device: Device;
  /** Not for users: set while `capture` records what is enqueued. */
  capture: Capture | undefined;
  #handle: number;

  /** Not for users: call `Device.createStream`. */
  constructor(device: Device) {
    device.assertOpen("create a stream");
    device.native.check(device.native.fp_stream_create(device.handle, handleBuffer), "create a stream");
    this.device = device;
    this.#handle = handleBuffer[0];
  }

  /** The library's handle. @throws {DisposedError} after `dispose`. */
  get handle(): number {
    if (this.#handle === 0) throw new DisposedError("Cannot use a stream that was disposed.");
    this.device.assertOpen("use a stream");
    return this.#handle;
  }

  /** True while `capture` records what is enqueued. */
  get isCapturing(): boolean {
    return this.capture !== undefined;
  }

  /** True once `dispose` was called. */
  get disposed(): boolean {
    return this.#handle === 0;
  }

  /** True if all work enqueued so far has ended. @throws the error of work that failed. */
  query(): boolean {
    const { native } = this.device;
    const status = native.fp_stream_query(this.handle);
    if (status === StatusCode.NOT_READY) return false;
    native.check(status, "wait for a stream");
    return true;
  }

  /** Resolves when all work enqueued so far has ended; rejects if some failed. */
  synchronize(): Promise<void> {
    return pollUntil(() => this.query());
  }

  /** Work enqueued from now on waits for `event`. */
  waitFor(event: Event): void {
    if (event.device !== this.device) throw new InvalidArgumentError("Cannot wait for an event of another device.");
    this.device.native.check(this.device.native.fp_stream_wait_event(this.handle, event.handle), "wait for an event");
  }

  /** Ends the stream once its work has ended. A second call does nothing. */
  dispose(): void {
    if (this.#handle === 0) return;
    const handle = this.#handle;
    if (!this.device.disposed) this.device.forgetStream(this);
    this.#handle = 0;
    if (!this.device.disposed) this.device.native.check(this.device.native.fp_stream_destroy(handle), "end a stream");
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Events: marks in a stream, to wait for and to time with.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import { StatusCode } from "../ffi/structs.gen.ts";
import type { Device } from "./device.ts";
import { pollUntil } from "./poll.ts";
import type { Stream } from "./stream.ts";

const handleBuffer = new Float64Array(1);

/** A mark in a stream. Made by `Device.createEvent`. */
export class Event implements Disposable {
  /** The device it is of. */
  readonly device: Device;
  #handle: number;

  /** Not for users: call `Device.createEvent`. */
  constructor(device: Device) {
    device.assertOpen("create an event");
    device.native.check(device.native.fp_event_create(device.handle, handleBuffer), "create an event");
    this.device = device;
    this.#handle = handleBuffer[0];
  }

  /** The library's handle. @throws {DisposedError} after `dispose`. */
  get handle(): number {
    if (this.#handle === 0) throw new DisposedError("Cannot use an event that was disposed.");
    this.device.assertOpen("use an event");
    return this.#handle;
  }

  /** True once `dispose` was called. */
  get disposed(): boolean {
    return this.#handle === 0;
  }

  /** Marks the present end of a stream's work. */
  record(stream: Stream = this.device.stream): void {
    if (stream.device !== this.device) {
      throw new InvalidArgumentError("Cannot record an event on a stream of another device.");
    }
    this.device.native.check(this.device.native.fp_event_record(this.handle, stream.handle), "record an event");
  }

  /** True if the work before the mark has ended. */
  query(): boolean {
    const { native } = this.device;
    const status = native.fp_event_query(this.handle);
    if (status === StatusCode.NOT_READY) return false;
    native.check(status, "wait for an event");
    return true;
  }

  /** Resolves when the work before the mark has ended. */
  synchronize(): Promise<void> {
    return pollUntil(() => this.query());
  }

  /** Milliseconds from this mark to a later one. Both must have happened. */
  millisecondsUntil(end: Event): number {
    const { native } = this.device;
    native.check(native.fp_event_elapsed(this.handle, end.handle, handleBuffer), "time between events");
    return handleBuffer[0];
  }

  /** Ends the event. A second call does nothing. */
  dispose(): void {
    if (this.#handle === 0) return;
    const handle = this.#handle;
    this.#handle = 0;
    if (!this.device.disposed) this.device.native.check(this.device.native.fp_event_destroy(handle), "end an event");
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

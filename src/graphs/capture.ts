/**
 * Recording work on a stream once and replaying it with one call: CUDA graphs, and the same on the CPU's native queue.
 *
 * A captured attention run reads its plan from the plan buffer at every replay. So an attention made with capacities is planned anew
 * outside the graph, and the replay does the new plan.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import type { Capture, Stream } from "../device/stream.ts";

const handleBuffer = new Float64Array(1);

/** A recorded run of work. The memory it uses stays alive as long as it does. */
export class CapturedGraph implements Disposable {
  readonly #stream: Stream;
  readonly #atLaunch: readonly (() => void)[];
  #handle: number;

  /** Not for users: call {@linkcode capture}. `atLaunch`: called before each launch. */
  constructor(stream: Stream, handle: number, atLaunch: readonly (() => void)[]) {
    this.#stream = stream;
    this.#handle = handle;
    this.#atLaunch = atLaunch;
  }

  /**
   * Enqueues the recorded work.
   *
   * @param stream of the same device; the one it was captured on by default.
   * @throws {CapacityError | InvalidArgumentError} if an attention in it was planned on the host since, for a batch that the recorded run cannot
   *   compute. Nothing is enqueued then.
   */
  launch(stream: Stream = this.#stream): void {
    if (this.#handle === 0) throw new DisposedError("Cannot launch a graph that was disposed.");
    const { device } = this.#stream;
    if (stream.device !== device) {
      throw new InvalidArgumentError("Cannot launch a graph: the stream belongs to another device.");
    }
    for (const prepare of this.#atLaunch) prepare();
    device.native.check(device.native.fp_graph_launch(this.#handle, stream.handle), "launch a graph");
  }

  /** Ends the graph. A second call does nothing. */
  dispose(): void {
    if (this.#handle === 0) return;
    const handle = this.#handle;
    this.#handle = 0;
    const { device } = this.#stream;
    if (!device.disposed) device.native.check(device.native.fp_graph_destroy(handle), "end a graph");
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Records what `enqueue` puts on the stream, without running it.
 *
 * `enqueue` must do all its work on `stream`, must not upload, download or await, and must not plan but on the device. If it throws, or returns a
 * promise, the capture is given up and the stream is as before.
 *
 * @throws {InvalidArgumentError} if `enqueue` is asynchronous.
 */
export function capture(stream: Stream, enqueue: () => void): CapturedGraph {
  const { device } = stream;
  const { native } = device;
  native.check(native.fp_graph_begin_capture(stream.handle), "begin capturing a graph");
  const recording: Capture = { atLaunch: [] };
  stream.capture = recording;
  try {
    const result: unknown = enqueue();
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
      throw new InvalidArgumentError(
        "Cannot capture a graph: the function is asynchronous, and what it does after its first await would not be recorded. Pass one that returns nothing.",
      );
    }
  } catch (error) {
    if (native.fp_graph_end_capture(stream.handle, handleBuffer) === 0) native.fp_graph_destroy(handleBuffer[0]);
    throw error;
  } finally {
    stream.capture = undefined;
  }
  native.check(native.fp_graph_end_capture(stream.handle, handleBuffer), "end capturing a graph");
  return new CapturedGraph(stream, handleBuffer[0], recording.atLaunch);
}

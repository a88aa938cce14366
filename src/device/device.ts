/**
 * Devices: where tensors lie and work runs.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError, UnavailableError } from "../errors.ts";
import { loadNative, type Native } from "../ffi/native.ts";
import { DeviceInfo, DeviceKind, MemoryUsage } from "../ffi/structs.gen.ts";
import { type DType, DTYPE_BYTES, DTYPE_CODE } from "./dtype.ts";
import { Event } from "./event.ts";
import { pollUntil } from "./poll.ts";
import { Stream } from "./stream.ts";
import { checkShape, contiguousStrides, Tensor } from "./tensor.ts";

/** Which device to open. */
export interface OpenDeviceOptions {
  /** `"auto"` (default): CUDA if a driver and a GPU answer, else the CPU. */
  backend?: "auto" | "cuda" | "cpu";
  /** Which GPU; 0 by default. */
  ordinal?: number;
  /** Worker threads of the CPU; one a core by default. */
  numThreads?: number;
}

/** Facts of a device. */
export interface DeviceFacts {
  /** SMs, or worker threads. */
  readonly numProcessors: number;
  /** 90 for sm_90; on the CPU 1 scalar, 2 AVX2, 3 AVX-512, 4 AMX, 10 NEON. */
  readonly computeCapability: number;
  /** As the driver counts; 0 on the CPU. */
  readonly driverVersion: number;
  /** Of the device; of the machine, for the CPU. */
  readonly totalMemoryBytes: number;
  /** Not in use by anyone. */
  readonly freeMemoryBytes: number;
  /** Of the device; of one core, for the CPU. */
  readonly l2CacheBytes: number;
}

/** What a device's tensors use. */
export interface DeviceMemoryUsage {
  /** Live now. */
  readonly allocatedBytes: number;
  /** The most that was ever live. */
  readonly peakBytes: number;
  /** How many allocations are live. */
  readonly numAllocations: number;
  /** Disposed, but still used by work enqueued earlier or by a graph. */
  readonly pendingBytes: number;
}

const handleBuffer = new Float64Array(1);
const infoView = new DeviceInfo();
const usageView = new MemoryUsage();

/** An opened device. Made by {@linkcode openDevice}, ended by `using` or `dispose`. */
export class Device implements Disposable {
  /** What it is. */
  readonly kind: "cuda" | "cpu";
  /** What the driver or the processor calls itself. */
  readonly name: string;
  /** Why `openDevice` took this device. */
  readonly reason: string;
  /**
   * The loaded library: not part of what is kept stable.
   *
   * @internal
   */
  readonly native: Native;
  /** The stream that everything uses by default. */
  readonly stream: Stream;
  readonly #streams: Set<Stream> = new Set();
  /** Where the work of disposed streams ends. */
  #ends: Event[] = [];
  #handle: number;

  /** Not for users: call {@linkcode openDevice}. */
  constructor(native: Native, handle: number, kind: "cuda" | "cpu", reason: string) {
    this.native = native;
    this.#handle = handle;
    this.kind = kind;
    this.reason = reason;
    this.name = native.fp_device_name(handle);
    this.stream = this.createStream();
  }

  /** The library's handle. @throws {DisposedError} after `dispose`. */
  get handle(): number {
    this.assertOpen("use a device");
    return this.#handle;
  }

  /** True once `dispose` was called. */
  get disposed(): boolean {
    return this.#handle === 0;
  }

  /** Refuses a closed device. @throws {DisposedError} after `dispose`. */
  assertOpen(action: string): void {
    if (this.#handle === 0) throw new DisposedError(`Cannot ${action}: its device was disposed.`);
  }

  /** Facts as of now. */
  get facts(): DeviceFacts {
    this.native.check(this.native.fp_device_get_info(this.handle, infoView.bytes), "read the device's facts");
    const { numProcessors, computeCapability, driverVersion, totalMemoryBytes, freeMemoryBytes, l2CacheBytes } =
      infoView;
    return { numProcessors, computeCapability, driverVersion, totalMemoryBytes, freeMemoryBytes, l2CacheBytes };
  }

  /** A new stream. */
  createStream(): Stream {
    const stream = new Stream(this);
    this.#streams.add(stream);
    return stream;
  }

  /** Not for users: `Stream.dispose` calls it, before the stream ends. */
  forgetStream(stream: Stream): void {
    this.#streams.delete(stream);
    this.#ends = this.#ends.filter((event) => !disposeIfReached(event));
    const end = this.createEvent();
    try {
      end.record(stream);
      this.#ends.push(end);
    } catch {
      end.dispose(); // A stream that captures a graph has no work under way.
    }
  }

  /** A new event. */
  createEvent(): Event {
    return new Event(this);
  }

  /** A new tensor, not initialised. @throws {OutOfMemoryError} if the device has no room. */
  tensor(shape: readonly number[], dtype: DType): Tensor {
    checkShape(shape);
    checkDtype(dtype);
    const numBytes = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
    let address = 0;
    if (numBytes > 0) {
      this.native.check(
        this.native.fp_memory_alloc(this.handle, numBytes, handleBuffer),
        `make a tensor of shape [${shape}]`,
      );
      address = handleBuffer[0];
    }
    this.assertOpen("make a tensor");
    return new Tensor(
      this,
      dtype,
      shape,
      contiguousStrides(shape),
      { address, kind: "owned", disposed: false },
      0,
      false,
    );
  }

  /** A new tensor with the given numbers; see `Tensor.write`. `shape`: one dimension by default. */
  fromArray(
    source: ArrayLike<number>,
    dtype: DType,
    shape: readonly number[] = [source.length],
    stream?: Stream,
  ): Tensor {
    const tensor = this.tensor(shape, dtype);
    try {
      tensor.write(source, stream);
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  }

  /**
   * A tensor over memory that someone else owns. The owner must keep it until the tensor is disposed and its work has ended.
   *
   * @param address device address of the first element (of host memory, for the CPU).
   * @param strides elements between neighbours; contiguous by default.
   */
  fromPointer(
    address: number,
    shape: readonly number[],
    dtype: DType,
    strides: readonly number[] = contiguousStrides(shape),
  ): Tensor {
    checkShape(shape);
    checkDtype(dtype);
    if (strides.length !== shape.length || strides.some((stride) => !Number.isInteger(stride) || stride < 0)) {
      throw new InvalidArgumentError(
        `Cannot wrap memory as [${shape}] with strides [${strides}]: pass one integer >= 0 for each dimension.`,
      );
    }
    if (!Number.isSafeInteger(address) || address <= 0) {
      throw new InvalidArgumentError(
        `Cannot wrap memory at address ${address}: pass a device address, an integer > 0.`,
      );
    }
    const isEmpty = shape.some((size) => size === 0);
    const numBytes = isEmpty
      ? 0
      : (1 + shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 0)) * DTYPE_BYTES[dtype];
    if (!isEmpty) {
      this.native.check(this.native.fp_memory_register(this.handle, address, numBytes), "wrap foreign memory");
    }
    return new Tensor(
      this,
      dtype,
      shape,
      strides,
      { address: isEmpty ? 0 : address, kind: "foreign", disposed: false },
      0,
      false,
    );
  }

  /** Resolves when the work enqueued so far on every stream has ended; rejects if some failed. */
  async synchronize(): Promise<void> {
    this.assertOpen("wait for a device");
    const ends = [...this.#ends];
    for (const stream of [...this.#streams]) await pollUntil(() => stream.disposed || stream.query());
    for (const end of ends) await pollUntil(() => disposeIfReached(end));
    this.#ends = this.#ends.filter((end) => !end.disposed);
  }

  /** What its tensors use. */
  memoryUsage(): DeviceMemoryUsage {
    this.native.check(this.native.fp_memory_get_usage(this.handle, usageView.bytes), "read memory usage");
    const { allocatedBytes, peakBytes, numAllocations, pendingBytes } = usageView;
    return { allocatedBytes, peakBytes, numAllocations, pendingBytes };
  }

  /** Waits for its work (this blocks) and ends everything that belongs to it. A second call does nothing. */
  dispose(): void {
    if (this.#handle === 0) return;
    const handle = this.#handle;
    this.#handle = 0;
    this.#streams.clear();
    this.#ends = [];
    this.native.check(this.native.fp_device_close(handle), "close a device");
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** True if the work before the event has ended, or its device was closed; the event is ended then. */
function disposeIfReached(event: Event): boolean {
  if (!event.disposed && !event.device.disposed && !event.query()) return false;
  event.dispose();
  return true;
}

function checkDtype(dtype: DType): void {
  if (!Object.hasOwn(DTYPE_CODE, dtype)) {
    throw new InvalidArgumentError(
      `Cannot make a tensor of dtype ${JSON.stringify(dtype)}: pass one of ${Object.keys(DTYPE_CODE).join(", ")}.`,
    );
  }
}

/**
 * Opens CUDA if a driver and a GPU answer, else the CPU; `device.reason` says why.
 *
 * @throws {NativeLoadError} if the library can't be found, verified or opened; {@linkcode UnavailableError} if the backend asked for is not there.
 */
export async function openDevice(options: OpenDeviceOptions = {}): Promise<Device> {
  const { backend = "auto", ordinal = 0, numThreads = 0 } = options;
  if (backend !== "auto" && backend !== "cuda" && backend !== "cpu") {
    throw new InvalidArgumentError(
      `Cannot open a device: backend is ${JSON.stringify(backend)}. Pass "auto", "cuda" or "cpu".`,
    );
  }
  for (const [name, value] of [["ordinal", ordinal], ["numThreads", numThreads]] as const) {
    if (!Number.isInteger(value) || value < 0 || value > 4096) {
      throw new InvalidArgumentError(`Cannot open a device: ${name} is ${value}. Pass an integer from 0 to 4096.`);
    }
  }
  const native = await loadNative();
  let whyNotCuda = "the CPU was asked for";
  if (backend !== "cpu") {
    try {
      native.check(native.fp_device_open(DeviceKind.CUDA, ordinal, 0, handleBuffer), "open CUDA");
      return new Device(
        native,
        handleBuffer[0],
        "cuda",
        backend === "cuda" ? "CUDA was asked for" : "a CUDA driver and a GPU answered",
      );
    } catch (error) {
      if (backend === "cuda" || !(error instanceof UnavailableError)) throw error;
      whyNotCuda = error.message;
    }
  }
  native.check(native.fp_device_open(DeviceKind.CPU, 0, numThreads, handleBuffer), "open the CPU");
  return new Device(native, handleBuffer[0], "cpu", whyNotCuda);
}

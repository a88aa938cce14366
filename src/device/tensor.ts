/**
 * Tensors: shaped device memory.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import { StatusCode } from "../ffi/structs.gen.ts";
import type { Buffer } from "../ffi/symbols.gen.ts";
import type { Device } from "./device.ts";
import { type DType, DTYPE_BYTES, fromRaw, type RawArray, rawArray, toRaw } from "./dtype.ts";
import { pollUntil } from "./poll.ts";
import type { Stream } from "./stream.ts";

/** Memory that one tensor owns and its views share. */
interface Storage {
  /** 0 for no bytes. */
  readonly address: number;
  /** "owned": freed on dispose; "foreign": only forgotten. */
  readonly kind: "owned" | "foreign";
  disposed: boolean;
}

const handleBuffer = new Float64Array(1);

/** A shaped range of device memory, or a view of one. Made by `Device.tensor`, `fromArray` or `fromPointer`. */
export class Tensor implements Disposable {
  /** Where it lies. */
  readonly device: Device;
  /** Of its elements. */
  readonly dtype: DType;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Distances between neighbours, in elements. */
  readonly strides: readonly number[];
  /** Product of the sizes. */
  readonly numElements: number;
  readonly #storage: Storage;
  readonly #offsetBytes: number;
  readonly #isView: boolean;

  /** Not for users: call `Device.tensor`, `Device.fromArray` or `Device.fromPointer`. */
  constructor(
    device: Device,
    dtype: DType,
    shape: readonly number[],
    strides: readonly number[],
    storage: Storage,
    offsetBytes: number,
    isView: boolean,
  ) {
    this.device = device;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.numElements = shape.reduce((product, size) => product * size, 1);
    this.#storage = storage;
    this.#offsetBytes = offsetBytes;
    this.#isView = isView;
  }

  /** Device address of the first element; 0 if there are none. @throws {DisposedError} after `dispose`. */
  get address(): number {
    if (this.#storage.disposed) {
      throw new DisposedError(`Cannot use a tensor (${this.dtype} [${this.shape}]) that was disposed.`);
    }
    this.device.assertOpen("use a tensor");
    return this.#storage.address === 0 ? 0 : this.#storage.address + this.#offsetBytes;
  }

  /** Bytes of the elements, gaps of a strided view not counted. */
  get byteLength(): number {
    return this.numElements * DTYPE_BYTES[this.dtype];
  }

  /** True if the memory went back. */
  get disposed(): boolean {
    return this.#storage.disposed;
  }

  /** True if the elements lie without gaps in row-major order. */
  get isContiguous(): boolean {
    let expected = 1;
    for (let i = this.shape.length - 1; i >= 0; i--) {
      if (this.shape[i] !== 1 && this.strides[i] !== expected) return this.numElements === 0;
      expected *= this.shape[i];
    }
    return true;
  }

  /** Refuses a tensor with gaps. @throws {InvalidArgumentError} unless the tensor is contiguous. */
  assertContiguous(action: string, name = "the tensor"): void {
    if (!this.isContiguous) {
      throw new InvalidArgumentError(
        `Cannot ${action}: ${name} (shape [${this.shape}], strides [${this.strides}]) has gaps. Pass a contiguous tensor.`,
      );
    }
  }

  /** Entries `begin` to `end` (not included) of the outermost dimension: a view of the same memory. */
  slice(begin: number, end: number): Tensor {
    const size = this.shape[0] ?? 0;
    if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || end < begin || end > size) {
      throw new InvalidArgumentError(
        `Cannot slice a tensor of shape [${this.shape}] from ${begin} to ${end}: pass 0 <= begin <= end <= ${size}.`,
      );
    }
    return this.#view([end - begin, ...this.shape.slice(1)], this.strides, begin * this.strides[0]);
  }

  /** The same elements with other sizes: a view. The tensor must be contiguous. */
  reshape(shape: readonly number[]): Tensor {
    checkShape(shape);
    this.assertContiguous("reshape");
    if (shape.reduce((product, size) => product * size, 1) !== this.numElements) {
      throw new InvalidArgumentError(
        `Cannot reshape [${this.shape}] to [${shape}]: the one has ${this.numElements} elements, the other not.`,
      );
    }
    return this.#view(shape, contiguousStrides(shape), 0);
  }

  /**
   * Any strided view of the same memory.
   *
   * @param strides elements between neighbours, >= 0.
   * @param offset elements from this tensor's first element.
   * @throws {InvalidArgumentError} if the view reaches past this tensor's last element.
   */
  view(shape: readonly number[], strides: readonly number[], offset = 0): Tensor {
    checkShape(shape);
    if (strides.length !== shape.length || strides.some((stride) => !Number.isInteger(stride) || stride < 0)) {
      throw new InvalidArgumentError(
        `Cannot view [${shape}] with strides [${strides}]: pass one integer >= 0 for each dimension.`,
      );
    }
    const extent = (sizes: readonly number[], steps: readonly number[]): number =>
      sizes.some((size) => size === 0) ? 0 : 1 + sizes.reduce((sum, size, i) => sum + (size - 1) * steps[i], 0);
    const [available, needed] = [extent(this.shape, this.strides), extent(shape, strides)];
    if (!Number.isInteger(offset) || offset < 0 || (needed > 0 && offset + needed > available)) {
      throw new InvalidArgumentError(
        `Cannot view [${shape}] with strides [${strides}] at offset ${offset}: it needs elements up to ${
          offset + needed
        }, the tensor spans ${available}.`,
      );
    }
    return this.#view(shape, strides, offset);
  }

  #view(shape: readonly number[], strides: readonly number[], offset: number): Tensor {
    return new Tensor(
      this.device,
      this.dtype,
      shape,
      strides,
      this.#storage,
      this.#offsetBytes + offset * DTYPE_BYTES[this.dtype],
      true,
    );
  }

  /**
   * Enqueues a copy of host numbers into the tensor. The numbers are taken before the call returns.
   *
   * @param source one number an element; converted unless it is raw already (`Uint16Array` for f16 and bf16, `Uint8Array` for FP8).
   */
  write(source: ArrayLike<number>, stream: Stream = this.device.stream): void {
    this.assertContiguous("write to a tensor");
    if (source.length !== this.numElements) {
      throw new InvalidArgumentError(
        `Cannot write ${source.length} numbers to a tensor of shape [${this.shape}]: it takes ${this.numElements}.`,
      );
    }
    if (stream.device !== this.device) {
      throw new InvalidArgumentError("Cannot write to a tensor: the stream belongs to another device.");
    }
    const address = this.address;
    if (this.numElements === 0) return;
    const raw = toRaw(this.dtype, source);
    this.device.native.check(
      this.device.native.fp_memory_upload(stream.handle, address, raw as Buffer, raw.byteLength),
      "write to a tensor",
    );
  }

  /** Enqueues a copy of another tensor of the same dtype and size. Both must be contiguous. */
  copyFrom(source: Tensor, stream: Stream = this.device.stream): void {
    this.assertContiguous("copy a tensor", "the target");
    source.assertContiguous("copy a tensor", "the source");
    if (
      source.device !== this.device || stream.device !== this.device || source.dtype !== this.dtype ||
      source.numElements !== this.numElements
    ) {
      throw new InvalidArgumentError(
        `Cannot copy ${source.dtype} [${source.shape}] to ${this.dtype} [${this.shape}]: device, dtype and number of elements must agree.`,
      );
    }
    if (this.numElements === 0) return;
    this.device.native.check(
      this.device.native.fp_memory_copy(stream.handle, this.address, source.address, this.byteLength),
      "copy a tensor",
    );
  }

  /** Enqueues setting every byte. 0 makes zeros; 255 makes NaN in every floating dtype. */
  fillBytes(value: number, stream: Stream = this.device.stream): void {
    this.assertContiguous("fill a tensor");
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new InvalidArgumentError(`Cannot fill a tensor with byte ${value}: pass an integer from 0 to 255.`);
    }
    if (stream.device !== this.device) {
      throw new InvalidArgumentError("Cannot fill a tensor: the stream belongs to another device.");
    }
    const address = this.address;
    if (this.numElements === 0) return;
    this.device.native.check(
      this.device.native.fp_memory_fill(stream.handle, address, value, this.byteLength),
      "fill a tensor",
    );
  }

  /** The elements as numbers, once the work enqueued before has ended: f16, bf16 and FP8 as f32, others as they are. */
  async read(
    stream: Stream = this.device.stream,
  ): Promise<Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> {
    return fromRaw(this.dtype, await this.readRaw(stream));
  }

  /** The elements as stored, once the work enqueued before has ended: f16 and bf16 as a `Uint16Array`, FP8 as a `Uint8Array`. */
  async readRaw(stream: Stream = this.device.stream): Promise<RawArray> {
    this.assertContiguous("read a tensor");
    if (stream.device !== this.device) {
      throw new InvalidArgumentError("Cannot read a tensor: the stream belongs to another device.");
    }
    const { native } = this.device;
    const { address } = this;
    const target = rawArray(this.dtype, this.numElements);
    if (this.numElements === 0) return target;
    native.check(native.fp_download_begin(stream.handle, address, target.byteLength, handleBuffer), "read a tensor");
    const download = handleBuffer[0];
    await pollUntil(() => {
      this.device.assertOpen("read a tensor");
      const status = native.fp_download_finish(download, target as Buffer, target.byteLength);
      if (status === StatusCode.NOT_READY) return false;
      native.check(status, "read a tensor");
      return true;
    });
    return target;
  }

  /** Gives the memory back once the work enqueued so far is done with it. Views end with the tensor they came from; disposing a view, or twice, does nothing. */
  dispose(): void {
    if (this.#isView || this.#storage.disposed) return;
    this.#storage.disposed = true;
    if (this.#storage.address === 0 || this.device.disposed) return;
    const { native, handle } = this.device;
    if (this.#storage.kind === "owned") {
      native.check(native.fp_memory_free(handle, this.#storage.address), "free a tensor");
    } else native.check(native.fp_memory_unregister(handle, this.#storage.address), "forget a foreign tensor");
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Row-major strides of a shape, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

/** @throws {InvalidArgumentError} unless every size is an integer >= 0 and their product is below 2^53. */
export function checkShape(shape: readonly number[]): void {
  if (shape.some((size) => !Number.isInteger(size) || size < 0)) {
    throw new InvalidArgumentError(`Cannot make a tensor of shape [${shape}]: every size must be an integer >= 0.`);
  }
  if (!Number.isSafeInteger(shape.reduce((product, size) => product * size, 1))) {
    throw new InvalidArgumentError(`Cannot make a tensor of shape [${shape}]: it has too many elements.`);
  }
}

/**
 * The device memory of a KV cache: K and V of all layers, and the two operations that write to it. Knows pages by their numbers only.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Tensor } from "../device/tensor.ts";
import { KvAppendArgs, KvCopyPagesArgs } from "../ffi/structs.gen.ts";
import { type KvStrides, kvStrides } from "./layout.ts";
import { type CheckedKvCacheOptions, expectInteger } from "./options.ts";

/** Rotary embedding applied to keys as they are written. */
export interface AppendRope {
  /** f32 [rotaryDim / 2]: radians per position, scaling included. */
  invFreq: Tensor;
  /** Pairs (2i, 2i+1) if true, else (i, i + rotaryDim / 2). */
  interleaved?: boolean;
}

/** New keys and values of one layer, and where they go. */
export interface KvRows {
  /** [numTokens, numKvHeads, headDim] */
  k: Tensor;
  /** [numTokens, numKvHeads, headDimVo] */
  v: Tensor;
  /** i32 [numTokens]: page * pageSize + token of the page. */
  slots: Tensor;
  /** i32 [numTokens]: for `rope`. */
  positions: Tensor;
  layer: number;
  /** Rotates `k` on the way in. */
  rope?: AppendRope;
}

/** One layer's memory, as attention reads it. */
export interface KvLayer {
  /** [numPages, pageSize, numKvHeads, headDim], or as the cache's layout says. */
  readonly k: Tensor;
  /** The same with `headDimVo`. */
  readonly v: Tensor;
  /** Of `k`. */
  readonly kStrides: KvStrides;
  /** Of `v`. */
  readonly vStrides: KvStrides;
}

/** Pages of K and V, layer by layer. */
export class KvMemory implements Disposable {
  readonly #device: Device;
  readonly #options: CheckedKvCacheOptions;
  readonly #keys: Tensor;
  readonly #values: Tensor;
  readonly #layers: KvLayer[] = [];
  readonly #appendArgs = new KvAppendArgs();
  readonly #copyArgs = new KvCopyPagesArgs();

  /** @throws {OutOfMemoryError} if the device has no room; nothing is kept then. */
  constructor(device: Device, options: CheckedKvCacheOptions) {
    const { numPages, pageSize, numKvHeads, headDim, headDimVo, dtype, numLayers, kvLayout } = options;
    this.#device = device;
    this.#options = options;
    const page = kvLayout === "NHD" ? [pageSize, numKvHeads] : [numKvHeads, pageSize];
    this.#keys = device.tensor([numLayers * numPages, ...page, headDim], dtype);
    try {
      this.#values = device.tensor([numLayers * numPages, ...page, headDimVo], dtype);
    } catch (error) {
      this.#keys.dispose();
      throw error;
    }
    const kStrides = kvStrides(kvLayout, pageSize, numKvHeads, headDim);
    const vStrides = kvStrides(kvLayout, pageSize, numKvHeads, headDimVo);
    for (let layer = 0; layer < numLayers; layer++) {
      const [begin, end] = [layer * numPages, (layer + 1) * numPages];
      this.#layers.push({ k: this.#keys.slice(begin, end), v: this.#values.slice(begin, end), kStrides, vStrides });
    }
    for (const args of [this.#appendArgs, this.#copyArgs]) {
      args.dtype = DTYPE_CODE[dtype];
      args.numKvHeads = numKvHeads;
      args.headDimQk = headDim;
      args.headDimVo = headDimVo;
      args.pageSize = pageSize;
      args.numPages = numPages;
      args.kPageStride = kStrides.page;
      args.kCacheTokenStride = kStrides.token;
      args.kCacheHeadStride = kStrides.head;
      args.vPageStride = vStrides.page;
      args.vCacheTokenStride = vStrides.token;
      args.vCacheHeadStride = vStrides.head;
    }
  }

  /** One layer's pages. */
  layer(index: number): KvLayer {
    expectInteger("layer", index, 0, this.#options.numLayers - 1);
    return this.#layers[index];
  }

  /** @throws {InvalidArgumentError} unless `tensor` is [numTokens, numKvHeads, headDim], or headDimVo for "v", of the cache's dtype and device. */
  expectRows(name: "k" | "v", tensor: Tensor, numTokens: number): void {
    const { numKvHeads, headDim, headDimVo, dtype } = this.#options;
    const want = [numTokens, numKvHeads, name === "k" ? headDim : headDimVo];
    if (tensor.device !== this.#device) {
      throw new InvalidArgumentError(
        `Cannot append ${name}: it lies on ${tensor.device.name}, the cache on ${this.#device.name}.`,
      );
    }
    if (tensor.dtype !== dtype) {
      throw new InvalidArgumentError(`Cannot append ${name}: its dtype is ${tensor.dtype}, the cache's is ${dtype}.`);
    }
    if (tensor.shape.length !== 3 || want.some((n, i) => tensor.shape[i] !== n)) {
      throw new InvalidArgumentError(
        `Cannot append ${name}: its shape is [${tensor.shape}]. Expected [numTokens, numKvHeads, headDim] = [${want}].`,
      );
    }
    if (tensor.strides[2] !== 1) {
      throw new InvalidArgumentError(
        `Cannot append ${name}: its innermost stride is ${tensor.strides[2]}. It must be 1.`,
      );
    }
  }

  /** Enqueues writing rows to their slots. @throws {InvalidArgumentError} for a wrong shape, dtype, device or layer. */
  write({ k, v, slots, positions, layer, rope }: KvRows): void {
    const numTokens = slots.shape[0];
    const { k: kCache, v: vCache } = this.layer(layer);
    this.expectRows("k", k, numTokens);
    this.expectRows("v", v, numTokens);
    if (numTokens === 0) return;
    const args = this.#appendArgs;
    args.numTokens = numTokens;
    this.#setRope(rope, positions);
    args.k = k.address;
    args.kTokenStride = k.strides[0];
    args.kHeadStride = k.strides[1];
    args.v = v.address;
    args.vTokenStride = v.strides[0];
    args.vHeadStride = v.strides[1];
    args.kCache = kCache.address;
    args.vCache = vCache.address;
    args.slots = slots.address;
    const { native } = this.#device;
    native.check(native.fp_kv_append(this.#options.stream.handle, args.bytes), "append to the KV cache");
  }

  #setRope(rope: AppendRope | undefined, positions: Tensor): void {
    const args = this.#appendArgs;
    args.rotaryDim = 0;
    args.ropeInterleaved = 0;
    args.positions = 0;
    args.invFreq = 0;
    if (rope === undefined) return;
    const { invFreq } = rope;
    const { headDim } = this.#options;
    if (
      invFreq.device !== this.#device || invFreq.dtype !== "f32" || invFreq.shape.length !== 1 ||
      2 * invFreq.shape[0] > headDim || !invFreq.isContiguous
    ) {
      throw new InvalidArgumentError(
        `Cannot rotate keys: invFreq is ${invFreq.dtype} [${invFreq.shape}]. Pass contiguous f32 [rotaryDim / 2] of the cache's device, at most ${
          headDim / 2
        } long.`,
      );
    }
    args.rotaryDim = 2 * invFreq.shape[0];
    args.ropeInterleaved = rope.interleaved ? 1 : 0;
    args.positions = positions.address;
    args.invFreq = invFreq.address;
  }

  /** Enqueues copying whole pages of every layer. `pairs`: i32 [numCopies, 2], source and target. */
  copyPages(pairs: Tensor, numCopies: number): void {
    const args = this.#copyArgs;
    args.numCopies = numCopies;
    args.pairs = pairs.address;
    const { native } = this.#device;
    for (const { k, v } of this.#layers) {
      args.kCache = k.address;
      args.vCache = v.address;
      native.check(native.fp_kv_copy_pages(this.#options.stream.handle, args.bytes), "copy shared pages");
    }
  }

  /** Gives the memory back once work under way is done. */
  dispose(): void {
    this.#keys.dispose();
    this.#values.dispose();
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

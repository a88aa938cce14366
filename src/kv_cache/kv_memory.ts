/**
 * The device memory of a KV cache: K and V of all layers, and the two operations that write to it. Knows pages by their numbers only.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import { type DType, DTYPE_CODE, isFp8 } from "../device/dtype.ts";
import type { Tensor } from "../device/tensor.ts";
import { KvAppendArgs, KvCopyPagesArgs } from "../ffi/structs.gen.ts";
import { type KvStrides, kvStrides } from "./layout.ts";
import { type CheckedKvCacheOptions, expectInteger } from "./options.ts";
import { type LayerScale, layerScales, scaleArguments } from "./scales.ts";

/** Rotary embedding applied to keys as they are written. */
export interface AppendRope {
  /** f32 [rotaryDim / 2]: radians per position, scaling included. */
  invFreq: Tensor;
  /** Pairs (2i, 2i+1) if true, else (i, i + rotaryDim / 2). */
  interleaved?: boolean;
}

/** Where new tokens go, as the device knows it: `DeviceBatch` has them, or they are your own. */
export interface DeviceSlots {
  /** i32 [numTokens]: page * pageSize + token of the page. A token with -1 is not written. */
  readonly slots: Tensor;
  /** i32 [numTokens]: position of each token in its request, for `rope`. */
  readonly positions: Tensor;
}

/** New keys and values of one layer, and where they go. */
export interface KvRows extends DeviceSlots {
  /** [numTokens, numKvHeads, headDim] */
  k: Tensor;
  /** [numTokens, numKvHeads, headDimVo] */
  v: Tensor;
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
  /** True key = element of `k` * kScale; 1 unless the cache is FP8. */
  readonly kScale: LayerScale;
  /** The same for `v`. */
  readonly vScale: LayerScale;
}

/** What `write` turns into FP8. */
const WIDE_DTYPES: readonly DType[] = ["f32", "f16", "bf16"];

/** Pages of K and V, layer by layer. */
export class KvMemory implements Disposable {
  readonly #device: Device;
  readonly #options: CheckedKvCacheOptions;
  /** K, V and their scales. */
  readonly #owned: Tensor[] = [];
  readonly #layers: KvLayer[] = [];
  readonly #appendArgs = new KvAppendArgs();
  readonly #copyArgs = new KvCopyPagesArgs();

  /** @throws {OutOfMemoryError} if the device has no room; nothing is kept then. */
  constructor(device: Device, options: CheckedKvCacheOptions) {
    const { numPages, pageSize, numKvHeads, headDim, headDimVo, dtype, numLayers, kvLayout } = options;
    this.#device = device;
    this.#options = options;
    const page = kvLayout === "NHD" ? [pageSize, numKvHeads] : [numKvHeads, pageSize];
    const own = (tensor: Tensor): Tensor => {
      this.#owned.push(tensor);
      return tensor;
    };
    let keys: Tensor, values: Tensor;
    let kScales: readonly LayerScale[], vScales: readonly LayerScale[];
    try {
      keys = own(device.tensor([numLayers * numPages, ...page, headDim], dtype));
      values = own(device.tensor([numLayers * numPages, ...page, headDimVo], dtype));
      kScales = layerScales(options.kScale, device, options, own);
      vScales = layerScales(options.vScale, device, options, own);
    } catch (error) {
      this.dispose();
      throw error;
    }
    const kStrides = kvStrides(kvLayout, pageSize, numKvHeads, headDim);
    const vStrides = kvStrides(kvLayout, pageSize, numKvHeads, headDimVo);
    for (let layer = 0; layer < numLayers; layer++) {
      const [begin, end] = [layer * numPages, (layer + 1) * numPages];
      this.#layers.push({
        k: keys.slice(begin, end),
        v: values.slice(begin, end),
        kStrides,
        vStrides,
        kScale: kScales[layer],
        vScale: vScales[layer],
      });
    }
    this.#appendArgs.cacheDtype = DTYPE_CODE[dtype];
    this.#copyArgs.dtype = DTYPE_CODE[dtype];
    for (const args of [this.#appendArgs, this.#copyArgs]) {
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

  /**
   * @throws {InvalidArgumentError} unless `k` is [numTokens, numKvHeads, headDim] and `v` [numTokens, numKvHeads, headDimVo], both of the cache's
   * device and of one dtype: the cache's, or for an FP8 cache a wider one.
   */
  expectRows(k: Tensor, v: Tensor, numTokens: number): void {
    this.#expectRows("k", k, numTokens);
    this.#expectRows("v", v, numTokens);
    if (k.dtype !== v.dtype) {
      throw new InvalidArgumentError(
        `Cannot append: k has dtype ${k.dtype} and v ${v.dtype}. Both must be of one dtype.`,
      );
    }
  }

  #expectRows(name: "k" | "v", tensor: Tensor, numTokens: number): void {
    const { numKvHeads, headDim, headDimVo, dtype } = this.#options;
    const want = [numTokens, numKvHeads, name === "k" ? headDim : headDimVo];
    if (tensor.device !== this.#device) {
      throw new InvalidArgumentError(
        `Cannot append ${name}: it lies on ${tensor.device.name}, the cache on ${this.#device.name}.`,
      );
    }
    if (tensor.dtype !== dtype && !(isFp8(dtype) && WIDE_DTYPES.includes(tensor.dtype))) {
      throw new InvalidArgumentError(
        `Cannot append ${name}: its dtype is ${tensor.dtype}, the cache's is ${dtype}.${
          isFp8(dtype) ? ` An FP8 cache takes ${WIDE_DTYPES.join(", ")} too.` : ""
        }`,
      );
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

  /** @throws {InvalidArgumentError} unless both are i32 [numTokens] of the cache's device. */
  expectSlots({ slots, positions }: DeviceSlots): void {
    for (const [name, tensor] of [["slots", slots], ["positions", positions]] as const) {
      if (
        tensor.device !== this.#device || tensor.dtype !== "i32" || tensor.shape.length !== 1 || !tensor.isContiguous ||
        tensor.shape[0] !== slots.shape[0]
      ) {
        throw new InvalidArgumentError(
          `Cannot write to the KV cache: ${name} is ${tensor.dtype} [${tensor.shape}]. Expected contiguous i32 [numTokens] on the cache's device.`,
        );
      }
    }
  }

  /** Enqueues writing rows to their slots. @throws {InvalidArgumentError} for a wrong shape, dtype, device or layer. */
  write({ k, v, slots, positions, layer, rope }: KvRows): void {
    const numTokens = slots.shape[0];
    const { k: kCache, v: vCache, kScale, vScale } = this.layer(layer);
    this.expectRows(k, v, numTokens);
    if (rope !== undefined && isFp8(k.dtype)) {
      throw new InvalidArgumentError(`Cannot rotate keys: k is ${k.dtype}. Keys are rotated before they become FP8.`);
    }
    if (numTokens === 0) return;
    const args = this.#appendArgs;
    args.dtype = DTYPE_CODE[k.dtype];
    args.numTokens = numTokens;
    this.#setRope(rope, positions);
    [args.kScale, args.kHeadScales] = scaleArguments(kScale);
    [args.vScale, args.vHeadScales] = scaleArguments(vScale);
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
    for (const tensor of this.#owned) tensor.dispose();
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

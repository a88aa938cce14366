/**
 * What a KV cache is made with, and the checks of it.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import { type DType, isFp8 } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { KvLayout } from "./layout.ts";
import { checkKvScale, type KvScale } from "./scales.ts";

/** Head dims the kernels have. */
const HEAD_DIMS = [64, 96, 128, 192, 256];
/** The largest page size of the ABI. */
const MAX_PAGE_SIZE = 1024;

/** How to make a {@linkcode PagedKvCache}. */
export interface PagedKvCacheOptions {
  /** Pages in each layer. */
  numPages: number;
  /** Tokens a page, 1 to 1024; not necessarily a power of two. */
  pageSize: number;
  /** Heads of K and V. */
  numKvHeads: number;
  /** 64, 96, 128, 192 or 256. */
  headDim: number;
  /** Of the values, if another than that of the keys. */
  headDimVo?: number;
  /**
   * Of K and V as they are stored: `"bf16"` or `"f16"`; `"f32"` on the CPU; FP8, `"e4m3"` or `"e5m2"`. `write` and `append` turn other floating
   * dtypes into FP8 on every device; which devices have attention over it, `BatchAttention` tells.
   */
  dtype: DType;
  /** If K is FP8: true number = stored number * kScale; the largest key / 448 makes the best of e4m3. 1 by default. */
  kScale?: KvScale;
  /** The same for V. */
  vScale?: KvScale;
  /** Layers that share the page table; 1 by default. */
  numLayers?: number;
  /** `"NHD"` (default): [page, token, head, dim]; `"HND"`: [page, head, token, dim]. */
  kvLayout?: KvLayout;
  /** Stream of all the cache's work; the device's own by default. */
  stream?: Stream;
}

/** Options with the defaults filled in. */
export type CheckedKvCacheOptions = Required<PagedKvCacheOptions>;

/** Fills in defaults. @throws {InvalidArgumentError} naming the option, its value and what is supported. */
export function checkKvCacheOptions(device: Device, options: PagedKvCacheOptions): CheckedKvCacheOptions {
  const { numPages, pageSize, numKvHeads, headDim, headDimVo = headDim, dtype, numLayers = 1, kvLayout = "NHD" } =
    options;
  const { kScale = 1, vScale = 1 } = options;
  expectInteger("numPages", numPages, 1, 0x7fffffff);
  expectInteger("pageSize", pageSize, 1, MAX_PAGE_SIZE);
  expectInteger("numKvHeads", numKvHeads, 1, 65535);
  expectInteger("numLayers", numLayers, 1, 65536);
  for (const [name, dim] of [["headDim", headDim], ["headDimVo", headDimVo]] as const) {
    if (!HEAD_DIMS.includes(dim)) {
      throw new InvalidArgumentError(`Cannot create KV cache: ${name} is ${dim}. Supported: ${HEAD_DIMS.join(", ")}.`);
    }
  }
  if (dtype !== "bf16" && dtype !== "f16" && !isFp8(dtype) && !(dtype === "f32" && device.kind === "cpu")) {
    throw new InvalidArgumentError(
      `Cannot create KV cache: dtype ${dtype} on ${device.kind}. Supported: bf16, f16${
        device.kind === "cpu" ? ", f32" : ""
      }, e4m3, e5m2.`,
    );
  }
  checkKvScale("kScale", kScale, device, dtype, numLayers, numKvHeads);
  checkKvScale("vScale", vScale, device, dtype, numLayers, numKvHeads);
  if (kvLayout !== "NHD" && kvLayout !== "HND") {
    throw new InvalidArgumentError(
      `Cannot create KV cache: kvLayout is ${JSON.stringify(kvLayout)}. Pass "NHD" or "HND".`,
    );
  }
  const stream = options.stream ?? device.stream;
  if (stream.device !== device) {
    throw new InvalidArgumentError("Cannot create KV cache: the stream belongs to another device.");
  }
  return { numPages, pageSize, numKvHeads, headDim, headDimVo, dtype, kScale, vScale, numLayers, kvLayout, stream };
}

/** Refuses a number that is not an integer in a range. */
export function expectInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(`Cannot use KV cache: ${name} is ${value}. Pass an integer from ${min} to ${max}.`);
  }
}

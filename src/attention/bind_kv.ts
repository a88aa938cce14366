/**
 * Where attention reads K and V: a `PagedKvCache`'s layer, or pages that someone else manages, checked and written into the arguments.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/tensor.ts";
import type { AttentionArgs } from "../ffi/structs.gen.ts";
import type { KvLayout, KvStrides } from "../kv_cache/layout.ts";
import type { PagedKvCache } from "../kv_cache/paged_kv_cache.ts";
import { checkLayerScale, type LayerScale, scaleArguments } from "../kv_cache/scales.ts";
import type { CheckedOptions } from "./options.ts";

/** Pages of K and V that no `PagedKvCache` manages. */
export interface ForeignKv {
  /** NHD: [numPages, pageSize, numKvHeads, headDim]; HND: [numPages, numKvHeads, pageSize, headDim]. Any strides, the innermost 1. */
  k: Tensor;
  /** The same with `headDimVo`. */
  v: Tensor;
  /** `"NHD"` by default. */
  kvLayout?: KvLayout;
  /** If k is FP8: true number = element * kScale; a number, or f32 [numKvHeads]. 1 by default. */
  kScale?: LayerScale;
  /** The same for v. */
  vScale?: LayerScale;
}

/** Binds one layer of a cache. @throws {InvalidArgumentError} if the cache does not fit the attention or the plan. */
export function bindCache(
  args: AttentionArgs,
  device: Device,
  options: CheckedOptions,
  { pageSize }: { readonly pageSize: number },
  cache: PagedKvCache,
  layer: number,
): void {
  const { numKvHeads, headDimQk, headDimVo, kvDtype } = options;
  if (cache.device !== device) {
    throw new InvalidArgumentError(
      `Cannot run attention: the cache lies on ${cache.device.name}, the attention on ${device.name}.`,
    );
  }
  if (
    cache.numKvHeads !== numKvHeads || cache.headDim !== headDimQk || cache.headDimVo !== headDimVo ||
    cache.dtype !== kvDtype
  ) {
    throw new InvalidArgumentError(
      `Cannot run attention: the cache has ${cache.numKvHeads} KV heads of ${cache.headDim} and ${cache.headDimVo} in ${cache.dtype}, ` +
        `the attention ${numKvHeads} of ${headDimQk} and ${headDimVo} in ${kvDtype}.`,
    );
  }
  if (cache.pageSize !== pageSize) {
    throw new InvalidArgumentError(
      `Cannot run attention: the plan is for pages of ${pageSize} tokens, the cache's have ${cache.pageSize}. Plan with this cache's page table.`,
    );
  }
  const { k, v, kStrides, vStrides, kScale, vScale } = cache.layer(layer);
  bind(args, cache.numPages, k, v, kStrides, vStrides, kScale, vScale);
}

/** Binds foreign pages. @throws {InvalidArgumentError} if they do not fit the attention or the plan. */
export function bindForeign(
  args: AttentionArgs,
  device: Device,
  options: CheckedOptions,
  { pageSize }: { readonly pageSize: number },
  { k, v, kvLayout = "NHD", kScale = 1, vScale = 1 }: ForeignKv,
): void {
  const { numKvHeads, headDimQk, headDimVo, kvDtype } = options;
  if (kvLayout !== "NHD" && kvLayout !== "HND") {
    throw new InvalidArgumentError(
      `Cannot run attention: kvLayout is ${JSON.stringify(kvLayout)}. Pass "NHD" or "HND".`,
    );
  }
  for (const [name, tensor, dim] of [["k", k, headDimQk], ["v", v, headDimVo]] as const) {
    const want = kvLayout === "NHD" ? [k.shape[0], pageSize, numKvHeads, dim] : [k.shape[0], numKvHeads, pageSize, dim];
    if (
      tensor.device !== device || tensor.dtype !== kvDtype || tensor.shape.length !== 4 || want.some((n, i) =>
        tensor.shape[i] !== n
      ) || tensor.strides[3] !== 1
    ) {
      throw new InvalidArgumentError(
        `Cannot run attention: ${name} is ${tensor.dtype} [${tensor.shape}] with strides [${tensor.strides}]${
          tensor.device === device ? "" : " on another device"
        }. ` +
          `Expected ${kvDtype} [${want}] (${kvLayout}) with innermost stride 1.`,
      );
    }
  }
  checkLayerScale("run attention", "kScale", kScale, device, kvDtype, numKvHeads);
  checkLayerScale("run attention", "vScale", vScale, device, kvDtype, numKvHeads);
  bind(args, k.shape[0], k, v, stridesOf(k, kvLayout), stridesOf(v, kvLayout), kScale, vScale);
}

function stridesOf({ strides }: Tensor, kvLayout: KvLayout): KvStrides {
  const [token, head] = kvLayout === "NHD" ? [strides[1], strides[2]] : [strides[2], strides[1]];
  return { page: strides[0], token, head };
}

function bind(
  args: AttentionArgs,
  numPages: number,
  k: Tensor,
  v: Tensor,
  kStrides: KvStrides,
  vStrides: KvStrides,
  kScale: LayerScale,
  vScale: LayerScale,
): void {
  args.numPages = numPages;
  args.k = k.address;
  args.kPageStride = kStrides.page;
  args.kTokenStride = kStrides.token;
  args.kHeadStride = kStrides.head;
  args.v = v.address;
  args.vPageStride = vStrides.page;
  args.vTokenStride = vStrides.token;
  args.vHeadStride = vStrides.head;
  [args.kScale, args.kHeadScales] = scaleArguments(kScale);
  [args.vScale, args.vHeadScales] = scaleArguments(vScale);
}

/**
 * The scales of an FP8 cache: FP8 has few exponents, so keys and values are divided by a scale before they are stored, and what is stored
 * times the scale is the true number.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import { type DType, isFp8 } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import { Tensor } from "../device/tensor.ts";

/**
 * Scales of a whole cache: `true number = stored number * scale`. A number is for all heads of all layers. An array, or an f32 tensor, has one
 * for each KV head, [numKvHeads], for every layer the same, or [numLayers, numKvHeads]. All positive and finite; what a tensor holds shows only
 * when it is used: with another scale, writing and attention fail on the CPU, and `write` stores NaN for that head on a GPU.
 */
export type KvScale = number | ArrayLike<number> | Tensor;

/** Scales of one layer: a number for all its heads, or f32 [numKvHeads] on the device. */
export type LayerScale = number | Tensor;

/** Refuses scales that do not fit the cache. Numbers in a tensor are seen where they are used, by the backend. */
export function checkKvScale(
  name: "kScale" | "vScale",
  scale: KvScale,
  device: Device,
  dtype: DType,
  numLayers: number,
  numKvHeads: number,
): void {
  const refuse = (why: string): never => {
    throw new InvalidArgumentError(`Cannot create KV cache: ${why}`);
  };
  if (typeof scale !== "number" && !isFp8(dtype)) {
    refuse(`${name} is given, and dtype is ${dtype}: only FP8 is scaled.`);
  }
  if (typeof scale === "number") {
    if (!isScale(scale)) refuse(`${name} is ${scale}. Pass a positive finite number of f32.`);
    if (scale !== 1 && !isFp8(dtype)) refuse(`${name} is ${scale}, and dtype is ${dtype}: only FP8 is scaled.`);
  } else if (scale instanceof Tensor) {
    const sizes = scale.shape.length === 2 ? [numLayers, numKvHeads] : [numKvHeads];
    if (
      scale.device !== device || scale.dtype !== "f32" || scale.shape.length !== sizes.length ||
      sizes.some((size, i) => scale.shape[i] !== size) || !scale.isContiguous
    ) {
      refuse(
        `${name} is ${scale.dtype} [${scale.shape}]. Pass contiguous f32 [${numKvHeads}] or [${[
          numLayers,
          numKvHeads,
        ]}] of the cache's device.`,
      );
    }
  } else {
    if (scale.length !== numKvHeads && scale.length !== numLayers * numKvHeads) {
      refuse(
        `${name} has ${scale.length} numbers. Pass one for each KV head, ${numKvHeads}, or for each layer and KV head, ${
          numLayers * numKvHeads
        }.`,
      );
    }
    for (let i = 0; i < scale.length; i++) {
      if (!isScale(scale[i])) refuse(`${name}[${i}] is ${scale[i]}. Pass positive finite numbers of f32.`);
    }
  }
}

/** The scales of each layer. Arrays are put on the device, in a tensor that `own` is told of before it is used. */
export function layerScales(
  scale: KvScale,
  device: Device,
  { numLayers, numKvHeads, stream }: { numLayers: number; numKvHeads: number; stream: Stream },
  own: (tensor: Tensor) => Tensor,
): LayerScale[] {
  if (typeof scale === "number") return new Array<LayerScale>(numLayers).fill(scale);
  const tensor = scale instanceof Tensor
    ? scale
    : own(device.fromArray(Float32Array.from(scale), "f32", [scale.length], stream));
  const flat = tensor.reshape([tensor.numElements]);
  const step = flat.numElements === numKvHeads ? 0 : numKvHeads;
  return Array.from({ length: numLayers }, (_, layer) => flat.slice(layer * step, layer * step + numKvHeads));
}

/** Refuses scales of foreign pages that do not fit them. */
export function checkLayerScale(
  action: string,
  name: "qScale" | "kScale" | "vScale",
  scale: LayerScale,
  device: Device,
  dtype: DType,
  numHeads: number,
): void {
  if (typeof scale === "number" ? scale !== 1 && !isFp8(dtype) : !isFp8(dtype)) {
    throw new InvalidArgumentError(
      `Cannot ${action}: ${name} is ${typeof scale === "number" ? scale : "a tensor"}, and ${
        name === "qScale" ? "q is" : "K and V are"
      } ${dtype}: only FP8 is scaled.`,
    );
  }
  if (typeof scale === "number") {
    if (!isScale(scale)) {
      throw new InvalidArgumentError(`Cannot ${action}: ${name} is ${scale}. Pass a positive finite number of f32.`);
    }
  } else if (
    scale.device !== device || scale.dtype !== "f32" || scale.shape.length !== 1 || scale.shape[0] !== numHeads ||
    !scale.isContiguous
  ) {
    throw new InvalidArgumentError(
      `Cannot ${action}: ${name} is ${scale.dtype} [${scale.shape}]. Pass a number, or contiguous f32 [${numHeads}] of the same device.`,
    );
  }
}

/** A layer's scale as the ABI takes it: a number for all heads, and the address of one for each. */
export function scaleArguments(scale: LayerScale): [factor: number, headScales: number] {
  return typeof scale === "number" ? [scale, 0] : [1, scale.address];
}

/** Compared as f32, which is what kernels get. */
function isScale(value: number): boolean {
  const rounded = Math.fround(value);
  return rounded > 0 && Number.isFinite(rounded);
}

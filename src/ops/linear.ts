/**
 * Matrix product with a weight stored row by output, as checkpoints store it.
 *
 * @module
 */
import { type DType, DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { LinearArgs } from "../ffi/structs.gen.ts";
import { expectTensor, placeOf, withOutput } from "./check.ts";

/** Arguments of {@linkcode linear}. */
export interface LinearOptions {
  /** [numRows, inDim] */
  x: Tensor;
  /** [outDim, inDim], contiguous. */
  weight: Tensor;
  /** [outDim] */
  bias?: Tensor;
  /** [numRows, outDim]. A new tensor of `outDtype` by default. */
  out?: Tensor;
  /** `x`'s dtype (default), or `"f32"`. */
  outDtype?: DType;
  /** The device's own by default. */
  stream?: Stream;
}

const args = new LinearArgs();

/** `out = x · weightᵀ + bias`, accumulated in f32. Returns `out`. */
export function linear({ x, weight, bias, out, outDtype, stream }: LinearOptions): Tensor {
  const action = "multiply by a weight";
  const place = placeOf(action, x, stream);
  const { device, dtype } = x;
  expectTensor(action, "x", x, device, device.kind === "cpu" ? ["bf16", "f16", "f32"] : ["bf16", "f16"], [-1, -1]);
  const [numRows, inDim] = x.shape;
  expectTensor(action, "weight", weight, device, dtype, [-1, inDim]);
  weight.assertContiguous(action, "weight");
  const outDim = weight.shape[0];
  if (bias !== undefined) expectTensor(action, "bias", bias, device, dtype, [outDim]);
  return withOutput(out, () => device.tensor([numRows, outDim], outDtype ?? dtype), (result) => {
    expectTensor(action, "out", result, device, outDtype ?? [dtype, "f32"], [numRows, outDim]);
    if (numRows === 0 || outDim === 0) return;
    args.dtype = DTYPE_CODE[dtype];
    args.outDtype = DTYPE_CODE[result.dtype];
    args.numRows = numRows;
    args.inDim = inDim;
    args.outDim = outDim;
    args.x = x.address;
    args.xRowStride = x.strides[0];
    args.weight = weight.address;
    args.bias = bias?.address ?? 0;
    args.out = result.address;
    args.outRowStride = result.strides[0];
    device.native.check(device.native.fp_linear(place.handle, args.bytes), action);
  });
}

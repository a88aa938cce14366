/**
 * Root-mean-square normalisation (Zhang and Sennrich, 2019, equation 4), with the residual addition that stands before it in a
 * transformer layer.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { RmsNormArgs } from "../ffi/structs.gen.ts";
import { expectTensor, placeOf, withOutput } from "./check.ts";

/** Arguments of {@linkcode rmsNorm}. */
export interface RmsNormOptions {
  /** [numRows, dim] */
  x: Tensor;
  /** [dim] */
  weight: Tensor;
  /** Added to the mean square; > 0. */
  eps: number;
  /** [numRows, dim]: `residual += x` first, then its norm is taken instead of that of `x`. */
  residual?: Tensor;
  /** [numRows, dim]; may be `x`. A new tensor by default. */
  out?: Tensor;
  /** The device's own by default. */
  stream?: Stream;
}

const args = new RmsNormArgs();

/** `out = norm(x) * weight`, row by row, where `norm(x) = x / sqrt(mean(x²) + eps)`. Returns `out`. */
export function rmsNorm({ x, weight, eps, residual, out, stream }: RmsNormOptions): Tensor {
  const action = "take the RMS norm";
  const place = placeOf(action, x, stream);
  const { device, dtype } = x;
  expectTensor(action, "x", x, device, ["bf16", "f16", "f32"], [-1, -1]);
  const [numRows, dim] = x.shape;
  expectTensor(action, "weight", weight, device, dtype, [dim]);
  if (residual !== undefined) expectTensor(action, "residual", residual, device, dtype, [numRows, dim]);
  if (!(eps > 0) || !Number.isFinite(eps)) {
    throw new InvalidArgumentError(`Cannot ${action}: eps is ${eps}. Pass a finite number > 0.`);
  }
  return withOutput(out, () => device.tensor([numRows, dim], dtype), (result) => {
    expectTensor(action, "out", result, device, dtype, [numRows, dim]);
    if (numRows === 0 || dim === 0) return;
    args.dtype = DTYPE_CODE[dtype];
    args.numRows = numRows;
    args.dim = dim;
    args.eps = eps;
    args.x = x.address;
    args.xRowStride = x.strides[0];
    args.residual = residual?.address ?? 0;
    args.residualRowStride = residual?.strides[0] ?? 0;
    args.weight = weight.address;
    args.out = result.address;
    args.outRowStride = result.strides[0];
    device.native.check(device.native.fp_rms_norm(place.handle, args.bytes), action);
  });
}

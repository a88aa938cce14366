/**
 * The gated activation of Llama-family models (SwiGLU; Shazeer, 2020, section 2).
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { SiluAndMulArgs } from "../ffi/structs.gen.ts";
import { expectTensor, placeOf, withOutput } from "./check.ts";

/** Arguments of {@linkcode siluAndMul}. */
export interface SiluAndMulOptions {
  /** [numRows, 2 * dim]: gate, then up. */
  x: Tensor;
  /** [numRows, dim]. A new tensor by default. */
  out?: Tensor;
  /** The device's own by default. */
  stream?: Stream;
}

const args = new SiluAndMulArgs();

/** `out = silu(x[:, :dim]) * x[:, dim:]`, where `silu(z) = z / (1 + exp(-z))`. Returns `out`. */
export function siluAndMul({ x, out, stream }: SiluAndMulOptions): Tensor {
  const action = "take siluAndMul";
  const place = placeOf(action, x, stream);
  const { device, dtype } = x;
  expectTensor(action, "x", x, device, ["bf16", "f16", "f32"], [-1, -1]);
  const [numRows, width] = x.shape;
  if (width % 2 !== 0) {
    throw new InvalidArgumentError(
      `Cannot ${action}: x has shape [${x.shape}]. Its rows hold gate and up, so their length must be even.`,
    );
  }
  const dim = width / 2;
  return withOutput(out, () => device.tensor([numRows, dim], dtype), (result) => {
    expectTensor(action, "out", result, device, dtype, [numRows, dim]);
    if (numRows === 0 || dim === 0) return;
    args.dtype = DTYPE_CODE[dtype];
    args.numRows = numRows;
    args.dim = dim;
    args.x = x.address;
    args.xRowStride = x.strides[0];
    args.out = result.address;
    args.outRowStride = result.strides[0];
    device.native.check(device.native.fp_silu_and_mul(place.handle, args.bytes), action);
  });
}

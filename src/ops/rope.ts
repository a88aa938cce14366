/**
 * Rotary position embedding (Su et al., 2021, section 3.2.2).
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { RopeArgs } from "../ffi/structs.gen.ts";
import { expectTensor, placeOf } from "./check.ts";

/** Frequency scaling of Llama 3.1 and later: low frequencies are stretched, high ones kept, those between blended. */
export interface Llama3RopeScaling {
  /** How much longer the context became. */
  factor: number;
  /** Frequencies that turn fewer times than this over the original context are divided by `factor`. */
  lowFreqFactor: number;
  /** Frequencies that turn more times than this over the original context stay. */
  highFreqFactor: number;
  /** Context length, in tokens, of the model before scaling. */
  originalMaxPosition: number;
}

/** Arguments of {@linkcode ropeFrequencies}. */
export interface RopeFrequencyOptions {
  /** Rotated elements of a head; even. */
  rotaryDim: number;
  /** Base; 10000 by default. */
  theta?: number;
  /** Every frequency is divided by this; 1 by default. */
  linearFactor?: number;
  /** Scaling as in Llama 3.1; none by default. */
  llama3?: Llama3RopeScaling;
}

/** Radians per position of each rotated pair: [rotaryDim / 2]. Upload it as an f32 tensor for `invFreq`. */
export function ropeFrequencies(
  { rotaryDim, theta = 10000, linearFactor = 1, llama3 }: RopeFrequencyOptions,
): Float32Array {
  if (!Number.isInteger(rotaryDim) || rotaryDim < 2 || rotaryDim % 2 !== 0) {
    throw new InvalidArgumentError(
      `Cannot make RoPE frequencies: rotaryDim is ${rotaryDim}. Pass an even integer >= 2.`,
    );
  }
  if (!(theta > 0) || !(linearFactor > 0)) {
    throw new InvalidArgumentError(
      `Cannot make RoPE frequencies: theta is ${theta}, linearFactor ${linearFactor}. Pass numbers > 0.`,
    );
  }
  const invFreq = new Float32Array(rotaryDim / 2);
  for (let i = 0; i < invFreq.length; i++) {
    const plain = theta ** (-2 * i / rotaryDim) / linearFactor;
    invFreq[i] = llama3 === undefined ? plain : scaleLlama3(plain, llama3);
  }
  return invFreq;
}

function scaleLlama3(
  frequency: number,
  { factor, lowFreqFactor, highFreqFactor, originalMaxPosition }: Llama3RopeScaling,
): number {
  const rotations = originalMaxPosition * frequency / (2 * Math.PI);
  if (rotations > highFreqFactor) return frequency;
  if (rotations < lowFreqFactor) return frequency / factor;
  const keep = (rotations - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return (1 - keep) * frequency / factor + keep * frequency;
}

/** Arguments of {@linkcode rope}. */
export interface RopeOptions {
  /** [numTokens, numHeads, headDim]; rotated in place. */
  x: Tensor;
  /** i32 [numTokens] */
  positions: Tensor;
  /** f32 [rotaryDim / 2], see {@linkcode ropeFrequencies}; later elements of a head stay as they are. */
  invFreq: Tensor;
  /** Pairs (2i, 2i+1) if true, else (i, i + rotaryDim / 2). */
  interleaved?: boolean;
  /** The device's own by default. */
  stream?: Stream;
}

const args = new RopeArgs();

/** Rotates each pair of `x` by position times frequency, in place. Returns `x`. */
export function rope({ x, positions, invFreq, interleaved = false, stream }: RopeOptions): Tensor {
  const action = "rotate";
  const place = placeOf(action, x, stream);
  const { device, dtype } = x;
  expectTensor(action, "x", x, device, ["bf16", "f16", "f32"], [-1, -1, -1]);
  const [numTokens, numHeads, headDim] = x.shape;
  expectTensor(action, "positions", positions, device, "i32", [numTokens]);
  expectTensor(action, "invFreq", invFreq, device, "f32", [-1]);
  const rotaryDim = 2 * invFreq.shape[0];
  if (rotaryDim > headDim) {
    throw new InvalidArgumentError(
      `Cannot ${action}: invFreq has ${invFreq.shape[0]} frequencies for heads of ${headDim}. Pass at most ${
        headDim / 2
      }.`,
    );
  }
  if (numTokens === 0 || numHeads === 0 || rotaryDim === 0) return x;
  args.dtype = DTYPE_CODE[dtype];
  args.numTokens = numTokens;
  args.numHeads = numHeads;
  args.headDim = headDim;
  args.rotaryDim = rotaryDim;
  args.interleaved = interleaved ? 1 : 0;
  args.x = x.address;
  args.xTokenStride = x.strides[0];
  args.xHeadStride = x.strides[1];
  args.positions = positions.address;
  args.invFreq = invFreq.address;
  device.native.check(device.native.fp_rope(place.handle, args.bytes), action);
  return x;
}

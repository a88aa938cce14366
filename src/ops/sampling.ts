/**
 * Choosing the next token: argmax, and temperature / top-k / top-p sampling with a seeded generator.
 *
 * The generator is Philox4x32-10 (Salmon et al., 2011): a token depends on (seed, step) alone, not on the batch or the backend.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { ArgmaxArgs, SampleArgs, SAMPLING_ROW } from "../ffi/structs.gen.ts";
import { expectInteger, expectTensor, placeOf, withOutput } from "./check.ts";

/** Arguments of {@linkcode argmax}. */
export interface ArgmaxOptions {
  /** [numRows, vocabSize] */
  logits: Tensor;
  /** i32 [numRows]. A new tensor by default. */
  out?: Tensor;
  /** The device's own by default. */
  stream?: Stream;
}

const argmaxArgs = new ArgmaxArgs();

/** The index of each row's largest logit; the lowest wins a tie, and NaN counts as -Infinity. Returns `out`. */
export function argmax({ logits, out, stream }: ArgmaxOptions): Tensor {
  const action = "take the argmax";
  const place = placeOf(action, logits, stream);
  const { device, dtype } = logits;
  expectTensor(action, "logits", logits, device, ["bf16", "f16", "f32"], [-1, -1]);
  const [numRows, vocabSize] = logits.shape;
  expectInteger(action, "the vocabulary size", vocabSize, 1, 0x7fffffff);
  return withOutput(out, () => device.tensor([numRows], "i32"), (result) => {
    expectTensor(action, "out", result, device, "i32", [numRows]);
    if (numRows === 0) return;
    argmaxArgs.dtype = DTYPE_CODE[dtype];
    argmaxArgs.numRows = numRows;
    argmaxArgs.vocabSize = vocabSize;
    argmaxArgs.logits = logits.address;
    argmaxArgs.logitsRowStride = logits.strides[0];
    argmaxArgs.out = result.address;
    device.native.check(device.native.fp_argmax(place.handle, argmaxArgs.bytes), action);
  });
}

/** How one row is sampled. */
export interface SamplingParams {
  /** Logits are divided by it; 0 means argmax. 1 by default. */
  temperature?: number;
  /** Keep the k largest logits; 0 (default) keeps all. */
  topK?: number;
  /** Keep the most probable tokens until their probability reaches this; 1 (default) keeps all. */
  topP?: number;
  /** Any integer from 0 to 2^53 - 1; 0 by default. */
  seed?: number;
  /** Which draw of the seed this is: usually the position of the token. */
  step?: number;
}

/** Arguments of {@linkcode sample}. */
export interface SampleOptions {
  /** [numRows, vocabSize] */
  logits: Tensor;
  /** One entry a row. */
  params: readonly SamplingParams[];
  /** i32 [numRows]. A new tensor by default. */
  out?: Tensor;
  /** The device's own by default. */
  stream?: Stream;
}

const sampleArgs = new SampleArgs();

/** Draws one token a row: temperature first, then top-k, then top-p over what is left. Returns `out`. */
export function sample({ logits, params, out, stream }: SampleOptions): Tensor {
  const action = "sample";
  const place = placeOf(action, logits, stream);
  const { device, dtype } = logits;
  expectTensor(action, "logits", logits, device, ["bf16", "f16", "f32"], [-1, -1]);
  const [numRows, vocabSize] = logits.shape;
  expectInteger(action, "the vocabulary size", vocabSize, 1, 0x7fffffff);
  if (params.length !== numRows) {
    throw new InvalidArgumentError(
      `Cannot ${action}: ${params.length} sampling parameters for ${numRows} rows of logits. Pass one a row.`,
    );
  }
  return withOutput(out, () => device.tensor([numRows], "i32"), (result) => {
    expectTensor(action, "out", result, device, "i32", [numRows]);
    if (numRows === 0) return;
    const packed = packParams(action, params);
    const rows = device.tensor([packed.length], "i32");
    try {
      rows.write(packed, place);
      sampleArgs.dtype = DTYPE_CODE[dtype];
      sampleArgs.numRows = numRows;
      sampleArgs.vocabSize = vocabSize;
      sampleArgs.logits = logits.address;
      sampleArgs.logitsRowStride = logits.strides[0];
      sampleArgs.rows = rows.address;
      sampleArgs.out = result.address;
      device.native.check(device.native.fp_sample(place.handle, sampleArgs.bytes), action);
    } finally {
      rows.dispose();
    }
  });
}

function packParams(action: string, params: readonly SamplingParams[]): Int32Array {
  const words = SAMPLING_ROW.words;
  const packed = new Int32Array(words * params.length);
  const floats = new Float32Array(packed.buffer);
  const { temperature: temperatureAt, topK: topKAt, topP: topPAt, seedLo, seedHi, step: stepAt } = SAMPLING_ROW;
  for (let i = 0; i < params.length; i++) {
    const { temperature = 1, topK = 0, topP = 1, seed = 0, step = 0 } = params[i];
    if (!(temperature >= 0) || !Number.isFinite(temperature)) {
      throw new InvalidArgumentError(
        `Cannot ${action}: temperature of row ${i} is ${temperature}. Pass a finite number >= 0.`,
      );
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new InvalidArgumentError(`Cannot ${action}: topP of row ${i} is ${topP}. Pass a number > 0 and <= 1.`);
    }
    expectInteger(action, `topK of row ${i}`, topK, 0, 0x7fffffff);
    expectInteger(action, `seed of row ${i}`, seed, 0, Number.MAX_SAFE_INTEGER);
    expectInteger(action, `step of row ${i}`, step, 0, 0xffffffff);
    const at = i * words;
    floats[at + temperatureAt] = temperature;
    packed[at + topKAt] = topK;
    floats[at + topPAt] = topP;
    packed[at + seedLo] = seed % 0x100000000 | 0;
    packed[at + seedHi] = Math.floor(seed / 0x100000000) | 0;
    packed[at + stepAt] = step | 0;
  }
  return packed;
}

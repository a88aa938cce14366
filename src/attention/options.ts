/**
 * What an attention is made with, and the checks of it.
 *
 * @module
 */
import { InvalidArgumentError, NotSupportedError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import { type DType, isFp8 } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";

/** How to make a `BatchAttention`. Names are FlashInfer's, in camelCase. */
export interface BatchAttentionOptions {
  /** A multiple of `numKvHeads`; their ratio, the group size, is 1 to 64. */
  numQoHeads: number;
  /** Heads of K and V. */
  numKvHeads: number;
  /** 64, 96, 128, 192 or 256. */
  headDim: number;
  /** Of the values, if another than that of queries and keys: only 128 beside 192. */
  headDimVo?: number;
  /** Of the output, and of queries, keys and values unless `qDtype` and `kvDtype` say otherwise: `"bf16"`, `"f16"`, and `"f32"` on the CPU. */
  dtype: DType;
  /**
   * Of keys and values: `dtype`, the default, or FP8, `"e4m3"` or `"e5m2"` (on CUDA with head dims 64, 128, 192 and 256). Scales come with the
   * cache.
   */
  kvDtype?: DType;
  /**
   * Of queries: `dtype`, the default, or `"e4m3"`, only beside keys and values of `"e4m3"`. On Hopper, with head dims 64, 128 and 256, tiles of
   * many rows are then computed in FP8 throughout, the weights included; elsewhere the queries are converted first. Scales come with `run`.
   */
  qDtype?: DType;
  /** A query sees the keys up to its own position; queries are the last tokens of their request. False by default. */
  causal?: boolean;
  /** Keys further back than this many positions are not seen; unlimited by default. */
  windowLeft?: number;
  /** Keys further ahead than this many positions are not seen; unlimited by default. */
  windowRight?: number;
  /** Scores are multiplied by it; > 0; `1 / sqrt(headDim)` by default. */
  smScale?: number;
  /** If > 0: `score = cap * tanh(score / cap)`. */
  logitsSoftCap?: number;
  /** Fixes the plan's size, so that a captured graph can replay any batch within it. */
  capacity?: AttentionCapacity;
  /**
   * The bits of a request's output and LSE do not depend on the other requests of the batch, on their number or order, or on `capacity`. They still
   * depend on these options, the device (on the CPU its number of threads too), and the request's own queries, keys and page size. Levels are refused, and custom masks where they have
   * another kernel (Hopper). By the cost model it costs full batches of long requests an eighth: see docs/scheduling.md. False by default.
   */
  batchInvariant?: boolean;
  /** Stream of all its work; the device's own by default. */
  stream?: Stream;
}

/** The largest batch that a graph must serve. */
export interface AttentionCapacity {
  /** Query tokens of a batch. */
  maxTokens: number;
  /** Requests of a batch. */
  maxRequests: number;
  /** Page ids of a batch, all levels together. */
  maxPages: number;
  /** Levels of composable formats; 1 by default. */
  maxLevels?: number;
  /**
   * Query tokens of a request; `maxTokens` by default. Say 1 if all requests decode: a graph then launches no kernel for prefill, and the workspace is
   * small. (So it is as long as `maxQoLen` x query heads a KV head is at most 16, and there is one level.)
   */
  maxQoLen?: number;
  /** KV tokens of a request, with `batchInvariant` only: the workspace grows with it. By default what `maxPages` of 1024 tokens hold. */
  maxKvLen?: number;
}

/** Options with the defaults filled in. */
export interface CheckedOptions {
  readonly numQoHeads: number;
  readonly numKvHeads: number;
  readonly groupSize: number;
  readonly headDimQk: number;
  readonly headDimVo: number;
  readonly dtype: DType;
  readonly kvDtype: DType;
  readonly qDtype: DType;
  readonly causal: boolean;
  /** -1: unlimited. */
  readonly windowLeft: number;
  /** -1: unlimited. */
  readonly windowRight: number;
  readonly smScale: number;
  /** 0: none. */
  readonly logitsSoftCap: number;
  readonly batchInvariant: boolean;
  readonly stream: Stream;
}

const HEAD_DIMS = "64, 96, 128, 192, 256, or 192 with headDimVo 128";

/** Fills in defaults. @throws {InvalidArgumentError | NotSupportedError} naming the option, its value and what is supported. */
export function checkOptions(device: Device, options: BatchAttentionOptions): CheckedOptions {
  const { numQoHeads, numKvHeads, headDim, headDimVo = headDim, dtype, causal = false, smScale, logitsSoftCap = 0 } =
    options;
  const { batchInvariant = false } = options;
  positive("numQoHeads", numQoHeads);
  positive("numKvHeads", numKvHeads);
  if (numQoHeads % numKvHeads !== 0) {
    refuse(`numQoHeads is ${numQoHeads} and numKvHeads ${numKvHeads}. The first must be a multiple of the second.`);
  }
  const groupSize = numQoHeads / numKvHeads;
  if (groupSize > 64) {
    throw new NotSupportedError(
      `Cannot create attention: ${groupSize} query heads share a KV head. Supported: 1 to 64.`,
    );
  }
  if (
    ![64, 96, 128, 192, 256].includes(headDim) || (headDimVo !== headDim && !(headDim === 192 && headDimVo === 128))
  ) {
    throw new NotSupportedError(
      `Cannot create attention: headDim is ${headDim}, headDimVo ${headDimVo}. Supported: ${HEAD_DIMS}.`,
    );
  }
  if (dtype !== "bf16" && dtype !== "f16" && !(dtype === "f32" && device.kind === "cpu")) {
    throw new NotSupportedError(
      `Cannot create attention: dtype is ${dtype} on ${device.kind}. Supported: bf16, f16, and f32 on the CPU.`,
    );
  }
  const { kvDtype = dtype } = options;
  // Which devices read FP8 is the library's to say.
  if (kvDtype !== dtype && !isFp8(kvDtype)) {
    throw new NotSupportedError(
      `Cannot create attention: kvDtype is ${kvDtype} and dtype ${dtype}. Supported: ${dtype}, e4m3, e5m2.`,
    );
  }
  const { qDtype = dtype } = options;
  if (qDtype !== dtype && !(qDtype === "e4m3" && kvDtype === "e4m3")) {
    throw new NotSupportedError(
      `Cannot create attention: qDtype is ${qDtype}, dtype ${dtype} and kvDtype ${kvDtype}. Supported: ${dtype}, and e4m3 beside kvDtype e4m3.`,
    );
  }
  if (typeof causal !== "boolean") refuse(`causal is ${causal}. Pass true or false.`);
  // Compared as f32, which is what kernels get: a number below its range would be 0 there.
  if (smScale !== undefined && !(Math.fround(smScale) > 0 && Number.isFinite(Math.fround(smScale)))) {
    refuse(`smScale is ${smScale}. Pass a finite number > 0, or leave it out for 1 / sqrt(headDim).`);
  }
  const cap = Math.fround(logitsSoftCap);
  if (!(cap >= 0) || !Number.isFinite(cap) || (cap === 0) !== (logitsSoftCap === 0)) {
    refuse(`logitsSoftCap is ${logitsSoftCap}. Pass a finite number > 0, or 0 for none.`);
  }
  const stream = options.stream ?? device.stream;
  if (stream.device !== device) refuse("the stream belongs to another device.");
  return {
    numQoHeads,
    numKvHeads,
    groupSize,
    headDimQk: headDim,
    headDimVo,
    dtype,
    kvDtype,
    qDtype,
    causal,
    windowLeft: window("windowLeft", options.windowLeft),
    windowRight: window("windowRight", options.windowRight),
    smScale: smScale ?? 1 / Math.sqrt(headDim),
    logitsSoftCap,
    batchInvariant,
    stream,
  };
}

function positive(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > 65536) {
    refuse(`${name} is ${value}. Pass an integer from 1 to 65536.`);
  }
}

function window(name: string, value: number | undefined): number {
  if (value === undefined || value === -1) return -1;
  if (!Number.isInteger(value) || value < 0 || value > 0x7fffffff) {
    refuse(`${name} is ${value}. Pass an integer >= 0, or leave it out for no limit.`);
  }
  return value;
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`Cannot create attention: ${why}`);
}

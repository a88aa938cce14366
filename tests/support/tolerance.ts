/**
 * How far a right answer may be from the exact one, by dtype. Every bound follows from where numbers are rounded; none is tuned to what
 * a backend happens to give.
 */
import type { DType } from "../../mod.ts";
import type { OracleRow } from "./oracle.ts";

/** A floating dtype. */
export type FloatDType = "f32" | "f16" | "bf16";

/** 2^-p for p significant bits: what one rounding to the dtype may cost, relative. */
export const ROUNDING: Readonly<Record<FloatDType, number>> = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** Half the distance between the smallest numbers of the dtype: what rounding costs near zero. */
export const SMALLEST: Readonly<Record<FloatDType, number>> = { f32: 2 ** -150, f16: 2 ** -25, bf16: 2 ** -134 };

/** What rounding `value` to the dtype may cost. */
export function roundingOf(dtype: FloatDType, value: number): number {
  return Math.abs(value) * ROUNDING[dtype] + SMALLEST[dtype];
}

/**
 * What computing in FP8 throughout costs (sm_90: products of e4m3 by e4m3, the weights included).
 *
 * - A weight has four significant bits: it is off by up to 2^-4 of it, and evenly so: by 2^-3 sqrt(1 / 24) of it in the root mean square, for
 *   numbers that begin with any bits. Weights that are equal have equal errors, which is a factor of the output; others' are independent of
 *   each other, and six times their root mean square is not reached by any of 10^8 elements.
 * - The largest weight of a row is at least 2^5 of e4m3's units, and the smallest e4m3 is 2^-9: those below lose up to 2^-10.
 * - Tensor cores add products of 32 with the accumulator in some 14 bits, cutting off the rest (DeepSeek-V3, arXiv 2412.19437, section 3.3.2).
 */
const FP8_WEIGHT = { largest: 2 ** -4, rms: 2 ** -3 * Math.sqrt(1 / 24), flushed: 2 ** -15 };
const FP8_SUM = 2 ** -13;

/** How a row was computed. */
export interface Arithmetic {
  /** Of the output, and of the weights unless `fp8HeadDim` is given. */
  dtype: DType;
  /** 0: none. */
  logitsSoftCap: number;
  /** Products are of e4m3, over so many columns of q and k. */
  fp8HeadDim?: number;
}

/** Error of one score: products of 16-bit numbers are exact in f32, their sum is rounded in some order, and the cap is a few f32 roundings. */
function scoreError({ scoreMagnitude }: OracleRow, { logitsSoftCap, fp8HeadDim = 0 }: Arithmetic): number {
  return (16 * 2 ** -24 + fp8HeadDim / 32 * FP8_SUM) * scoreMagnitude + 8 * 2 ** -24 * logitsSoftCap;
}

/**
 * The largest error of element `d` of an attention row.
 *
 * - the output is rounded to its dtype once;
 * - weights exp(s - max) may be rounded to the dtype before they meet V (tensor cores take them so): relative to sum p |v|; those below f16's
 *   normal range lose up to 2^-25 each, and those below f32's may vanish: relative to sum |v|;
 * - an error e of a score is a relative error e of its weight, and of the sum it is divided by;
 * - exp itself, running sums and merges: a few f32 roundings;
 * - in FP8 throughout, what FP8_WEIGHT and FP8_SUM say instead.
 */
export function outTolerance(row: OracleRow, d: number, arithmetic: Arithmetic): number {
  const kind = arithmetic.dtype as FloatDType;
  const magnitude = row.outMagnitude[d];
  const scores = 2 * scoreError(row, arithmetic) + 2 ** -18;
  if (arithmetic.fp8HeadDim !== undefined) {
    const { largest, rms, flushed } = FP8_WEIGHT;
    const weights = Math.min(largest * magnitude, largest * Math.abs(row.out[d]) + 6 * rms * row.outNorm[d]);
    const sums = magnitude * FP8_SUM * Math.ceil(row.numVisible / 32 + 1);
    return 1.05 * (roundingOf(kind, row.out[d]) + weights + magnitude * scores + sums + flushed * row.spread[d]);
  }
  const flushed = (kind === "f16" ? 2 ** -25 : 2 ** -126) * row.spread[d];
  return 1.05 * (roundingOf(kind, row.out[d]) + magnitude * (ROUNDING[kind] + scores) + flushed);
}

/** The largest error of a row's LSE, which is f32 and summed in f32. */
export function lseTolerance(row: OracleRow, arithmetic: Arithmetic): number {
  return scoreError(row, arithmetic) + 2 ** -18 + 2 ** -21 * Math.abs(row.lse);
}

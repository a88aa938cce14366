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

/** Error of one score: products of 16-bit numbers are exact in f32, their sum is rounded in some order, and the cap is a few f32 roundings. */
function scoreError({ scoreMagnitude }: OracleRow, logitsSoftCap: number): number {
  return 16 * 2 ** -24 * scoreMagnitude + 8 * 2 ** -24 * logitsSoftCap;
}

/**
 * The largest error of element `d` of an attention row.
 *
 * - the output is rounded to its dtype once;
 * - weights exp(s - max) may be rounded to the dtype before they meet V (tensor cores take them so): relative to sum p |v|; those below f16's
 *   normal range lose up to 2^-25 each, and those below f32's may vanish: relative to sum |v|;
 * - an error e of a score is a relative error e of its weight, and of the sum it is divided by;
 * - exp itself, running sums and merges: a few f32 roundings.
 */
export function outTolerance(row: OracleRow, d: number, dtype: DType, logitsSoftCap: number): number {
  const kind = dtype as FloatDType;
  const weights = ROUNDING[kind] + 2 * scoreError(row, logitsSoftCap) + 2 ** -18;
  const flushed = (kind === "f16" ? 2 ** -25 : 2 ** -126) * row.spread[d];
  return 1.05 * (roundingOf(kind, row.out[d]) + row.outMagnitude[d] * weights + flushed);
}

/** The largest error of a row's LSE, which is f32 and summed in f32. */
export function lseTolerance(row: OracleRow, logitsSoftCap: number): number {
  return scoreError(row, logitsSoftCap) + 2 ** -18 + 2 ** -21 * Math.abs(row.lse);
}

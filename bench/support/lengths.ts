/** Lengths of benchmark cases: their names, and the 16 requests of uneven batches (figure 8 of the FlashInfer paper), the same for every engine. */

import type { AttentionCase } from "./prepared_attention.ts";

/** A case whose name says its lengths by these words. */
export interface NamedAttentionCase extends AttentionCase {
  readonly lengths: Readonly<Record<string, number | string>>;
}

/** Uniform from 512 to 1024. */
export const UNIFORM: readonly number[] = [
  948,
  838,
  774,
  650,
  669,
  533,
  550,
  520,
  601,
  929,
  845,
  980,
  770,
  823,
  1009,
  886,
];

/** Zipf, with a mean of 1024. */
export const ZIPF: readonly number[] = [275, 39, 1139, 1925, 510, 2082, 78, 39, 235, 392, 39, 157, 9004, 196, 235, 39];

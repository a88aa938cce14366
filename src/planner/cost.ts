/**
 * What work costs, so that shares are equal. The unit is the time a CTA needs for one KV token of a decode tile: reading its K and V of
 * one head.
 *
 * @module
 */

/** Costs in units of one decode KV token; integers. */
export interface CostModel {
  /** One KV token of a decode tile: 1 by definition, more for a finer unit. */
  readonly decodeToken: number;
  /** One KV token of a prefill tile. */
  readonly prefillToken: number;
  /** Starting and ending one KV head of a decode item: loading queries, filling the pipeline, writing rows. */
  readonly decodeItem: number;
  /** The same of a prefill item. */
  readonly prefillItem: number;
  /** One row of a partial: written as f32, read again by the merge. */
  readonly partialRow: number;
  /** True if CTAs that have nothing to do leave their part of memory's rate to the others, so that a few idle ones cost decoding nothing. */
  readonly sharesBandwidth: boolean;
  /** For splitting the SMs of a mixed batch; undefined: never split. */
  readonly split?: SplitCosts;
}

/**
 * What decides how the SMs of a mixed batch are split, in nanoseconds. Only the relation of the first two matters for where: it is about the same for all
 * head dims and dtypes, since a token's bytes and products grow alike.
 */
export interface SplitCosts {
  /** One KV token of a prefill tile of 128 rows, on an SM by itself. */
  readonly prefillTokenNs: number;
  /** One KV token of a decode tile, on the whole device: at memory's full rate. */
  readonly decodeTokenNs: number;
  /** The part of all SMs that reads at memory's full rate; with fewer, the rate falls in proportion. */
  readonly fullRateSms: number;
  /** What a split must save: two branches take that long to begin and to join. */
  readonly forkNs: number;
}

/**
 * An H100 at head dim 128 in bf16. A prefill token of 128 rows is 65.5 kFLOP, at 750 TFLOP/s over 132 SMs 11.5 ns; beside decodes, which take memory's rate,
 * it is half as much again. A decode token is 512 bytes, 41 ns of one of 264 CTAs at 3.3 TB/s. About 60 of the 132 SMs, with two such CTAs each, have enough
 * copies under way for memory's full rate. Of 11.5, 14, 17, 20 and 25 ns beside 60 and 75 SMs, 17 and 60 took the least over six mixed batches
 * (docs/scheduling.md).
 */
const H100_SPLIT: SplitCosts = { prefillTokenNs: 17, decodeTokenNs: 41 / 264, fullRateSms: 60 / 132, forkNs: 3000 };

/**
 * A GPU. Both kinds of tiles cost about the same a token: at head dim 128 a decode tile reads 512 bytes (41 ns at an H100's 3.3 TB/s over
 * 264 CTAs), a prefill tile does 65 kFLOP (49 ns at 350 TFLOP/s). A row of a partial is 516 bytes written and read: two tokens. Items: of 32, 128 and 256
 * tokens, 128 gave the shortest times over uneven decode batches on an H100 (docs/scheduling.md).
 */
export const GPU_COSTS: CostModel = {
  decodeToken: 1,
  prefillToken: 1,
  decodeItem: 128,
  prefillItem: 128,
  partialRow: 2,
  sharesBandwidth: true,
  split: H100_SPLIT,
};

/**
 * A CPU core, measured on a server's (Zen 5) at head dim 128: a decode token reads at 28 GB/s (18 ns), a prefill token does 65 kFLOP at 430 GFLOP/s
 * by AVX-512's products of bf16 (150 ns; by AVX2's at a quarter of that). A decode item starts in 0.2 us, a prefill item turns 128 rows of queries and
 * outputs around in 4.5 us, and a row of a partial is written and merged in 80 ns.
 */
export const CPU_COSTS: CostModel = {
  decodeToken: 1,
  prefillToken: 8,
  decodeItem: 10,
  prefillItem: 250,
  partialRow: 4,
  sharesBandwidth: false,
};

/**
 * The fewest steps that are worth a piece of their own: their cost covers starting an item and the partial rows of the piece.
 *
 * Worked example (GPU costs): a decode tile of one token and 4 query heads costs 128 + 2 x 4 = 136: pieces of three
 * steps of 64 tokens or more. A prefill tile of 128 rows costs 128 + 2 x 128 = 384: pieces of six steps of 64 tokens or more.
 */
export function minStepsOfPiece(stepCost: number, itemCost: number, numRows: number, partialRowCost: number): number {
  return Math.max(1, Math.ceil((itemCost + partialRowCost * numRows) / stepCost));
}

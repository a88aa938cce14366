/**
 * Mixed batches: how many SMs prefill tiles get, so that the queue and the shares run at the same time and end together.
 *
 * Decoding is limited by memory's rate and prefill by the matrix units, so one after the other each leaves idle what the other needs. A CTA of the queue
 * takes an SM for itself. With `x` SMs of `n` for the queue:
 *
 * ```text
 * queue:  prefill KV tokens x prefillTokenNs / x
 * shares: decode KV tokens x decodeTokenNs x max(1, fullRateSms n / (n - x))
 * ```
 *
 * The first falls with `x`; the second stays the same as long as enough SMs read, and then rises.
 *
 * Worked example: 128 decodes at 8192 KV tokens and a chunk of 4096 queries at 8192, 8 KV heads, 132 SMs. The shares are 8.5 million tokens, 1.33 ms.
 * The queue is 6.5 million, 110 ms on one SM. With 77 SMs for it, and so 55 for the shares, which read at 55 / 60 of memory's rate, both end after
 * about 1.45 ms.
 *
 * @module
 */
import type { CheckedConfig } from "./problem.ts";
import type { TileList } from "./tiles.ts";

/** A side of less than this part of the other is not worth a split. */
const MIN_PART = 0.05;

/** True if plans of this config may split the SMs. */
export function maySplitSms({ costs, limits: { numCtas, prefillCtas }, batchInvariant }: CheckedConfig): boolean {
  // How a request is cut must not depend on the batch there, nor then may the number of CTAs.
  return costs.split !== undefined && !batchInvariant && prefillCtas > 1 && numCtas >= prefillCtas;
}

/** CTAs that draw from the queue of a batch, an SM each: 0 without a queue, all if nothing is split. */
export function prefillCtasOf(config: CheckedConfig, { queueCount, shareCost, queueCost }: TileList): number {
  const { costs: { split, decodeToken, prefillToken }, limits: { prefillCtas, prefillRows } } = config;
  if (queueCount === 0) return 0;
  const numSms = prefillCtas;
  if (split === undefined || !maySplitSms(config) || shareCost === 0) return numSms;
  // In nanoseconds: the queue on one SM, the shares at memory's full rate.
  const queueNs = queueCost / prefillToken * split.prefillTokenNs * prefillRows / 128;
  const sharesNs = shareCost / decodeToken * split.decodeTokenNs;
  const queueAlone = queueNs / numSms;
  if (Math.min(queueAlone, sharesNs) < MIN_PART * Math.max(queueAlone, sharesNs)) return numSms;

  const fullRateSms = split.fullRateSms * numSms;
  const endOf = (x: number): number => Math.max(queueNs / x, sharesNs * Math.max(1, fullRateSms / (numSms - x)));
  // Where both are equal: before memory's rate falls, or after.
  let both = queueNs / sharesNs;
  if (both > numSms - fullRateSms) both = numSms * queueNs / (queueNs + sharesNs * fullRateSms);
  const less = Math.min(Math.max(Math.floor(both), 1), numSms - 1);
  const more = Math.min(less + 1, numSms - 1);
  const x = endOf(more) < endOf(less) ? more : less;
  return queueAlone + sharesNs - endOf(x) < split.forkNs ? numSms : x;
}

/** CTAs that have shares beside those of the queue: all of them if nothing is split, else those of the other SMs. */
export function sharesBeside({ limits: { numCtas, prefillCtas } }: CheckedConfig, numPrefillCtas: number): number {
  if (numPrefillCtas === 0 || numPrefillCtas === prefillCtas) return numCtas;
  return numCtas - numPrefillCtas * Math.floor(numCtas / prefillCtas);
}

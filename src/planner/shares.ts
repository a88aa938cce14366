/**
 * The shares: which CTA does which of the tiles that are not in the queue.
 *
 * Usually they are equal cuts of a line (`schedule.ts`). Where CTAs share memory's rate (`CostModel.sharesBandwidth`), three kinds of batches of decode
 * tiles have better ones:
 *
 * - no more units than CTAs, not too uneven: one piece for each CTA (`spread.ts`);
 * - more, and all alike: as many shares as make them whole units, if few CTAs are then left without any. The rest take their part of memory's rate, so
 *   nothing is lost, and nothing is cut. The last share may have fewer;
 * - up to three a CTA that are not alike: whole units too, long ones with short ones, or equal pieces of the longest (`bundles.ts`).
 *
 * Worked example of the second: 64 requests of 1024 tokens, 8 KV heads, 264 CTAs. 512 units are 256 shares of two.
 *
 * @module
 */
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { Bundles } from "./bundles.ts";
import type { CheckedConfig } from "./problem.ts";
import type { Scheduler } from "./schedule.ts";
import { spreadUnits, stepsOfPieces } from "./spread.ts";
import { TILE_PREFILL, type TileList } from "./tiles.ts";

/** Shares of whole units are worth it if at least this part of the CTAs has one. */
const MIN_BUSY_CTAS = 0.9;

/**
 * Appends the items of all shares, and says which CTA has which.
 *
 * @param maxShares CTAs that may have one, those of the lowest indices.
 * @returns true if no CTA has more than one item, of one KV head, and item `i` is CTA `i`'s: units were spread.
 */
export function layShares(
  config: CheckedConfig,
  tiles: TileList,
  scheduler: Scheduler,
  bundles: Bundles | undefined,
  words: Int32Array,
  layout: PlanLayout,
  maxShares: number,
): boolean {
  const { numKvHeads, limits: { numCtas, prefillCtas }, costs: { sharesBandwidth } } = config;
  const { shareTiles, shareCount, shareCost, classes } = tiles;
  const isDecode = prefillCtas > 0 || (classes & (1 << TILE_PREFILL)) === 0;
  const numUnits = shareCount * numKvHeads;
  let numShares = maxShares;
  let lineCost = shareCost;
  if (sharesBandwidth && isDecode) {
    const longest = stepsOfPieces(config, tiles, maxShares);
    if (longest > 0) {
      spreadUnits(config, tiles, scheduler, words, layout, longest);
      return true;
    }
    if (!areAlike(tiles)) {
      if (bundles !== undefined && bundles.lay(tiles, scheduler, words, layout, maxShares)) return false;
    } else if (numUnits > maxShares) {
      const unitsOfShare = Math.ceil(numUnits / maxShares);
      const wholeShares = Math.ceil(numUnits / unitsOfShare);
      if (wholeShares >= MIN_BUSY_CTAS * maxShares) {
        numShares = wholeShares;
        lineCost = wholeShares * unitsOfShare * tiles.unitCost[shareTiles[0]];
      }
    }
  }
  const { ctaBeginOffset } = layout;
  scheduler.cut(words, layout, shareTiles, 0, shareCount, lineCost, numShares, ctaBeginOffset, false);
  words.fill(scheduler.numWorkItems, ctaBeginOffset + numShares, ctaBeginOffset + numCtas + 1);
  return false;
}

/** True if all units of the shares have as many steps. */
function areAlike({ shareTiles, shareCount, numSteps }: TileList): boolean {
  const steps = numSteps[shareTiles[0]];
  for (let place = 1; place < shareCount; place++) {
    if (numSteps[shareTiles[place]] !== steps) return false;
  }
  return true;
}

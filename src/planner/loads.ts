/**
 * What the cost model predicts for each CTA of a plan.
 *
 * @module
 */
import { ctaBeginOfPlan, type Plan, tileOfPlan, workItemOfPlan } from "./plan.ts";
import type { CheckedConfig } from "./problem.ts";

/** One work item on its CTA, in units of the cost model (see `CostModel`). */
export interface ItemLoad {
  /** Index of the work item. */
  readonly item: number;
  /** Index of its tile. */
  readonly tile: number;
  readonly tileClass: "decode" | "prefill";
  /** KV tokens walked, all its KV heads together. */
  readonly kvTokens: number;
  readonly cost: number;
}

/** Items of each CTA, in the order they run. */
export function loadsOfPlan(plan: Plan, { limits, costs, groupSize }: CheckedConfig): ItemLoad[][] {
  const ctaBegin = ctaBeginOfPlan(plan);
  return Array.from({ length: ctaBegin.length - 1 }, (_, cta) => {
    const loads: ItemLoad[] = [];
    for (let item = ctaBegin[cta]; item < ctaBegin[cta + 1]; item++) {
      const { tile, numKvHeads, kvBegin, kvEnd, partialRow } = workItemOfPlan(plan, item);
      const { tileClass, numTokens } = tileOfPlan(plan, tile);
      const isDecode = tileClass === "decode";
      const kvTile = isDecode ? limits.decodeKvTile : limits.prefillKvTile;
      const steps = kvEnd > kvBegin ? Math.ceil(kvEnd / kvTile) - Math.floor(kvBegin / kvTile) : 0;
      const stepCost = kvTile * (isDecode ? costs.decodeToken : costs.prefillToken);
      const partialCost = partialRow < 0 ? 0 : costs.partialRow * numTokens * groupSize;
      const cost = numKvHeads * ((isDecode ? costs.decodeItem : costs.prefillItem) + steps * stepCost + partialCost);
      loads.push({ item, tile, tileClass, kvTokens: numKvHeads * (kvEnd - kvBegin), cost });
    }
    return loads;
  });
}

/** Cost of each CTA. */
export function totalsOf(loads: readonly (readonly ItemLoad[])[]): number[] {
  return loads.map((items) => items.reduce((sum, { cost }) => sum + cost, 0));
}

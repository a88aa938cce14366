/**
 * What the cost model predicts for each CTA of a plan.
 *
 * @module
 */
import { ctaBeginOfPlan, type Plan, tileOfPlan, workItemOfPlan } from "./plan.ts";
import type { CheckedConfig } from "./problem.ts";

/** What predictions need to know; a plan has it too. */
export type CostedConfig = Pick<CheckedConfig, "limits" | "costs" | "groupSize">;

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

/**
 * Items of each CTA, in the order they run: first the `numShares` CTAs with shares, then the `numPrefillCtas` that draw from the queue, as they would
 * draw if the costs were exact.
 */
export function loadsOfPlan(plan: Plan, config: CostedConfig): ItemLoad[][] {
  const ctaBegin = ctaBeginOfPlan(plan);
  const shares = Array.from({ length: plan.numShares }, (_, cta) => {
    const count = ctaBegin[cta + 1] - ctaBegin[cta];
    return Array.from({ length: count }, (_, i) => loadOfItem(plan, config, ctaBegin[cta] + i, 0));
  });
  return [...shares, ...queueLoads(plan, config)];
}

function queueLoads(plan: Plan, config: CostedConfig): ItemLoad[][] {
  const { numWorkItems, numQueuedPieces, numQueuedItems, numKvHeads, numPrefillCtas } = plan;
  const firstItem = numWorkItems - numQueuedItems;
  const loads: ItemLoad[][] = Array.from({ length: numPrefillCtas }, () => []);
  const totals = loads.map(() => 0);
  const draw = (load: ItemLoad): void => {
    const cta = totals.indexOf(Math.min(...totals));
    loads[cta].push(load);
    totals[cta] += load.cost;
  };
  for (let i = 0; i < numQueuedPieces; i++) draw(loadOfItem(plan, config, firstItem - numQueuedPieces + i, 1));
  for (let head = 0; head < numKvHeads; head++) {
    for (let i = 0; i < numQueuedItems; i++) draw(loadOfItem(plan, config, firstItem + i, 1));
  }
  return loads;
}

/** One item. `numHeads`: KV heads of it to count; 0: all. */
export function loadOfItem(
  plan: Plan,
  { limits, costs, groupSize }: CostedConfig,
  item: number,
  numHeads: number,
): ItemLoad {
  const { tile, numKvHeads, kvBegin, kvEnd, partialRow } = workItemOfPlan(plan, item);
  const { tileClass, numTokens } = tileOfPlan(plan, tile);
  const isDecode = tileClass === "decode";
  const kvTile = isDecode ? limits.decodeKvTile : limits.prefillKvTile;
  const steps = kvEnd > kvBegin ? Math.ceil(kvEnd / kvTile) - Math.floor(kvBegin / kvTile) : 0;
  const stepCost = kvTile * (isDecode ? costs.decodeToken : costs.prefillToken);
  const partialCost = partialRow < 0 ? 0 : costs.partialRow * numTokens * groupSize;
  const heads = numHeads === 0 ? numKvHeads : numHeads;
  const cost = heads * ((isDecode ? costs.decodeItem : costs.prefillItem) + steps * stepCost + partialCost);
  return { item, tile, tileClass, kvTokens: heads * (kvEnd - kvBegin), cost };
}

/** Cost of each CTA. */
export function totalsOf(loads: readonly (readonly ItemLoad[])[]): number[] {
  return loads.map((items) => items.reduce((sum, { cost }) => sum + cost, 0));
}

/**
 * A plan told to people: as text, and as a picture of each CTA's load.
 *
 * @module
 */
import { drawLoads } from "./explain_svg.ts";
import { loadsOfPlan, totalsOf } from "./loads.ts";
import type { Plan } from "./plan.ts";
import { tileOfPlan } from "./plan.ts";
import type { CheckedConfig } from "./problem.ts";

/** What {@linkcode explainPlan} returns. */
export interface PlanExplanation {
  /** A summary of a dozen lines. */
  readonly text: string;
  /** An SVG document: a bar a CTA, its work items in the order they run, one colour a request tile. */
  readonly svg: string;
}

/**
 * Explains a plan. The costs are the cost model's prediction, in KV tokens of a decode tile.
 *
 * @param config of the planner that made the plan.
 */
export function explainPlan(plan: Plan, config: CheckedConfig): PlanExplanation {
  const loads = loadsOfPlan(plan, config);
  const totals = totalsOf(loads);
  // A KV token of the queue then takes another time than one of the shares, so the two are not compared.
  const isSplit = plan.numShares < config.limits.numCtas;
  const numBusy = totals.filter((total) => total > 0).length;
  const decodeTiles =
    Array.from({ length: plan.numTiles }, (_, i) => tileOfPlan(plan, i)).filter(({ tileClass }) =>
      tileClass === "decode"
    ).length;
  const planBytes = plan.layout.numPlanWords * 4;
  const lines = [
    `${plan.numRequests} requests, ${plan.numTokens} query tokens, ${config.numQoHeads} query heads over ${plan.numKvHeads} KV heads (group ${plan.groupSize}), pages of ${plan.pageSize}`,
    `masks: ${masksOf(config)}`,
    `tiles: ${plan.numTiles} (${decodeTiles} decode of up to ${config.limits.decodeRows} rows, ${
      plan.numTiles - decodeTiles
    } prefill of up to ${config.limits.prefillRows})`,
    `work items: ${plan.numWorkItems} on ${numBusy} of ${totals.length} CTAs` +
    (config.limits.prefillCtas > 0
      ? `; of them queued for ${plan.numPrefillCtas} CTAs: ${plan.numQueuedPieces} pieces and ${plan.numQueuedItems} x ${plan.numKvHeads} units`
      : ""),
    `row entries: ${plan.numRowEntries} (query rows gathered from several requests)`,
    `merges: ${plan.numMerges} of ${plan.numPartials} partials, ${plan.numPartialRows} workspace rows`,
    `memory: plan ${planBytes} bytes, page ids ${plan.numKvIndices * 4} bytes, workspace ${plan.workspaceBytes} bytes`,
    `cuts: ${config.batchInvariant ? "by each request alone (batchInvariant)" : "where shares of CTAs end"}`,
    `capacity: ${plan.hasFixedCapacity ? "fixed, for graphs" : "grows with the batch"}`,
    ...(isSplit
      ? [
        `SMs: split, ${plan.numPrefillCtas} of ${config.limits.prefillCtas} for the queue; ${plan.numShares} CTAs of the others have shares`,
        `load of a CTA with a share in KV tokens: ${loadOf(totals.slice(0, plan.numShares))}`,
        `load of a CTA of the queue in KV tokens: ${loadOf(totals.slice(plan.numShares))}`,
      ]
      : [`load of a CTA in KV tokens: ${loadOf(totals)}`]),
  ];
  return {
    text: lines.join("\n"),
    svg: drawLoads(loads, `${plan.numRequests} requests, ${plan.numWorkItems} work items, ${totals.length} CTAs`),
  };
}

function loadOf(totals: readonly number[]): string {
  const sum = totals.reduce((a, b) => a + b, 0);
  const max = totals.reduce((a, b) => Math.max(a, b), 0);
  const mean = totals.length > 0 ? sum / totals.length : 0;
  const above = mean > 0 ? ` (${(100 * (max / mean - 1)).toFixed(1)} % above the mean)` : "";
  return `mean ${mean.toFixed(0)}, most ${max.toFixed(0)}${above}`;
}

function masksOf({ causal, windowLeft, windowRight }: CheckedConfig): string {
  const parts = [
    causal ? "causal" : "",
    windowLeft >= 0 ? `window of ${windowLeft} back` : "",
    windowRight >= 0 ? `window of ${windowRight} ahead` : "",
  ];
  return parts.filter((part) => part !== "").join(", ") || "none";
}

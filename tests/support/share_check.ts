/** How far the shares of a plan may be from equal, and that they are no further. */
import assert from "node:assert/strict";
import { minStepsOfPiece } from "../../src/planner/cost.ts";
import { loadsOfPlan, totalsOf } from "../../src/planner/loads.ts";
import { type Plan, tileOfPlan, workItemOfPlan } from "../../src/planner/plan.ts";
import type { CheckedConfig } from "../../src/planner/problem.ts";

/**
 * Every CTA's share is within one step and one and a half item costs of equal, where pieces of one step are worth their cost; where pieces of m > 1
 * steps are the smallest, within 2 m steps and as many item costs. Costs of partial rows are not on the scheduler's line, and not counted.
 *
 * Why: a share ends where a cut may be, at most half a step (or m steps) from where it should. A share that begins inside of a unit starts it again:
 * one item cost. One that begins with a unit instead was given that unit's start by the share before. A unit of a single step is not cut, and half
 * of it may be on the wrong side: the half item cost.
 */
export function checkShares(plan: Plan, config: CheckedConfig): void {
  const { limits, costs, groupSize } = config;
  const shares = loadsOfPlan(plan, config).slice(0, limits.numCtas);
  let lineCost = 0;
  let largestItem = 0;
  let largestMove = 0;
  const totals = shares.map((items) => {
    let total = 0;
    for (const { item, cost } of items) {
      const { tile, kvHeadBegin, numKvHeads, kvBegin, partialRow } = workItemOfPlan(plan, item);
      const { tileClass, numTokens } = tileOfPlan(plan, tile);
      const isDecode = tileClass === "decode";
      const itemCost = isDecode ? costs.decodeItem : costs.prefillItem;
      const stepCost = isDecode ? limits.decodeKvTile * costs.decodeToken : limits.prefillKvTile * costs.prefillToken;
      const numRows = numTokens * groupSize;
      const minSteps = minStepsOfPiece(stepCost, itemCost, numRows, costs.partialRow);
      largestItem = Math.max(largestItem, itemCost);
      largestMove = Math.max(largestMove, stepCost * (minSteps === 1 ? 0.5 : minSteps));
      const walked = cost - (partialRow < 0 ? 0 : costs.partialRow * numRows * numKvHeads);
      const before = item === 0 ? undefined : workItemOfPlan(plan, item - 1);
      const isRestart = before?.tile === tile && before.kvHeadBegin === kvHeadBegin && before.kvEnd === kvBegin;
      total += walked;
      lineCost += walked - (isRestart ? itemCost : 0);
    }
    return total;
  });
  const equal = lineCost / limits.numCtas;
  // Shares end at whole numbers: 1 more.
  const bound = 1.5 * largestItem + 2 * largestMove + 1;
  totals.forEach((total, cta) =>
    assert.ok(
      Math.abs(total - equal) <= bound,
      `CTA ${cta} has ${total}, an equal share is ${equal}, at most ${bound} apart`,
    )
  );
}

/**
 * Of a batch-invariant plan: every CTA's share is within one piece, the longest, of equal, all costs counted; a CTA of the queue is no more than one above
 * the mean. And no piece is longer than is worth a cut, or than half of an equal share, by more than rounding and the smallest pieces at both ends.
 */
export function checkPieceShares(plan: Plan, config: CheckedConfig): void {
  const { limits, costs, groupSize } = config;
  const loads = loadsOfPlan(plan, config);
  for (
    const [name, ctas] of [["share", loads.slice(0, limits.numCtas)], ["queue", loads.slice(limits.numCtas)]] as const
  ) {
    if (ctas.length === 0) continue;
    const totals = totalsOf(ctas);
    const equal = totals.reduce((a, b) => a + b, 0) / ctas.length;
    let longest = 0;
    for (const { item, cost, tileClass } of ctas.flat()) {
      const { tile, numKvHeads, partialRow } = workItemOfPlan(plan, item);
      const piece = name === "queue" ? cost : cost / numKvHeads;
      longest = Math.max(longest, piece);
      const isDecode = tileClass === "decode";
      const itemCost = isDecode ? costs.decodeItem : costs.prefillItem;
      const stepCost = isDecode ? limits.decodeKvTile * costs.decodeToken : limits.prefillKvTile * costs.prefillToken;
      const numRows = tileOfPlan(plan, tile).numTokens * groupSize;
      const least = minStepsOfPiece(stepCost, itemCost, numRows, costs.partialRow);
      const worth = minStepsOfPiece(stepCost, 8 * itemCost, numRows, 8 * costs.partialRow);
      const walked = piece - itemCost - (partialRow < 0 ? 0 : costs.partialRow * numRows);
      const bound = Math.max(worth * stepCost, equal / 2 + stepCost) + 2 * least * stepCost;
      assert.ok(
        walked <= bound,
        `a piece of item ${item} walks ${walked}, at most ${bound} with a ${name} of ${equal}`,
      );
    }
    totals.forEach((total, cta) => {
      const isFar = name === "share" ? Math.abs(total - equal) > longest + 1 : total > equal + longest + 1;
      assert.ok(!isFar, `CTA ${cta} has ${total}, an equal ${name} is ${equal}, a piece ${longest} at most`);
    });
  }
}

/** How far the shares of a plan may be from equal, and that they are no further. */
import assert from "node:assert/strict";
import { minStepsOfPiece } from "../../src/planner/cost.ts";
import { loadsOfPlan, totalsOf } from "../../src/planner/loads.ts";
import { type Plan, tileOfPlan, workItemOfPlan } from "../../src/planner/plan.ts";
import type { CheckedConfig } from "../../src/planner/problem.ts";

/** That the shares of a plan are what `src/planner/shares.ts` promises. */
export function checkShares(plan: Plan, config: CheckedConfig): void {
  const { costs, numKvHeads } = config;
  const { numShares: numCtas } = plan;
  const shares = loadsOfPlan(plan, config).slice(0, numCtas);
  const units = unitsOf(plan, config);
  const isDecode = units.every(({ isDecode }) => isDecode);
  if (costs.sharesBandwidth && isDecode) {
    const total = units.reduce((sum, { steps }) => sum + steps.reduce((a, b) => a + b, 0), 0);
    const equal = Math.max(1, Math.ceil(total / numKvHeads / Math.floor(numCtas / numKvHeads)));
    const piecesBy = (longest: number): number =>
      units.reduce((sum, { steps }) => sum + Math.max(1, Math.ceil(steps.reduce((a, b) => a + b, 0) / longest)), 0);
    if (piecesBy(Math.floor(1.75 * equal)) <= numCtas) {
      checkSpread(shares, units, piecesBy, numCtas);
      return;
    }
    const perCta = Math.ceil(units.length / numCtas);
    const wholeShares = Math.ceil(units.length / perCta);
    const isAlike = new Set(units.map(({ steps }) => steps.reduce((a, b) => a + b, 0))).size === 1;
    if (units.length > numCtas && isAlike && wholeShares >= 0.9 * numCtas) {
      assert.ok(units.every(({ steps }) => steps.length === 1), "a unit is cut, and whole ones would be equal shares");
      const [unit] = totalsOf(shares).map((cost, cta) => cost / countUnits(plan, shares[cta]));
      assert.ok(Math.max(...totalsOf(shares)) <= perCta * unit + 1e-6, "a CTA has more than its part of like units");
      return;
    }
    if (!isAlike && isInBundles(plan, shares, units, total)) return;
  }
  checkEqualShares(plan, config);
}

/** A unit of the shares, and the steps of each of its pieces. */
interface Unit {
  readonly isDecode: boolean;
  readonly steps: number[];
}

function unitsOf(plan: Plan, config: CheckedConfig): Unit[] {
  const { limits } = config;
  const units = new Map<string, Unit>();
  for (const { item } of loadsOfPlan(plan, config).slice(0, plan.numShares).flat()) {
    const { tile, kvHeadBegin, numKvHeads, kvBegin, kvEnd } = workItemOfPlan(plan, item);
    const isDecode = tileOfPlan(plan, tile).tileClass === "decode";
    const kvTile = isDecode ? limits.decodeKvTile : limits.prefillKvTile;
    const steps = stepsOf(kvBegin, kvEnd, kvTile);
    for (let head = kvHeadBegin; head < kvHeadBegin + numKvHeads; head++) {
      const unit = units.get(`${tile} ${head}`) ?? { isDecode, steps: [] };
      unit.steps.push(steps);
      units.set(`${tile} ${head}`, unit);
    }
  }
  return [...units.values()];
}

/**
 * True if a plan keeps what `src/planner/bundles.ts` promises: no unit is cut but one that is longer than an equal share, that one into equal pieces that are
 * not; a CTA has three pieces at most, all of one KV head, and no more than a tenth and four steps above an equal share.
 */
function isInBundles(
  plan: Plan,
  shares: readonly (readonly { item: number }[])[],
  units: readonly Unit[],
  total: number,
): boolean {
  const items = shares.map((share) => share.map(({ item }) => workItemOfPlan(plan, item)));
  const numPieces = units.reduce((sum, { steps }) => sum + steps.length, 0);
  const isBundled = items.flat().length === numPieces && items.every((share) => share.length <= 3) &&
    items.every((share) => share.every(({ kvHeadBegin }) => kvHeadBegin === share[0].kvHeadBegin));
  const equal = Math.max(1, Math.ceil(total / shares.length));
  const cutsOnlyLong = units.every(({ steps }) => {
    const sum = steps.reduce((a, b) => a + b, 0);
    return steps.length === (sum <= equal ? 1 : Math.ceil(sum / equal)) && Math.max(...steps) - Math.min(...steps) <= 1;
  });
  const { limits } = plan;
  const isEven = items.every((share) =>
    share.reduce((sum, { kvBegin, kvEnd }) => sum + stepsOf(kvBegin, kvEnd, limits.decodeKvTile), 0) <=
      1.1 * total / shares.length + 4
  );
  return isBundled && cutsOnlyLong && isEven;
}

function stepsOf(kvBegin: number, kvEnd: number, kvTile: number): number {
  return kvBegin === kvEnd ? 0 : Math.ceil(kvEnd / kvTile) - Math.floor(kvBegin / kvTile);
}

function countUnits(plan: Plan, items: readonly { item: number }[]): number {
  return items.reduce((sum, { item }) => sum + workItemOfPlan(plan, item).numKvHeads, 0);
}

/** No CTA has two pieces, no two pieces of a unit differ by more than a step, and with shorter pieces they would be too many. */
function checkSpread(
  shares: readonly (readonly unknown[])[],
  units: readonly Unit[],
  piecesBy: (longest: number) => number,
  numCtas: number,
): void {
  shares.forEach((items, cta) => assert.ok(items.length <= 1, `CTA ${cta} has ${items.length} pieces`));
  let longest = 1;
  for (const { steps } of units) {
    assert.ok(Math.max(...steps) - Math.min(...steps) <= 1, `pieces of one unit have ${steps} steps`);
    longest = Math.max(longest, ...steps);
  }
  // The longest piece may be shorter than what was allowed, but not by so much that less would have been allowed too.
  const count = units.reduce((sum, { steps }) => sum + steps.length, 0);
  assert.ok(
    longest === 1 || piecesBy(longest - 1) > numCtas || piecesBy(longest - 1) === count,
    `pieces of ${longest} steps, and ${longest - 1} would make ${piecesBy(longest - 1)} of them on ${numCtas} CTAs`,
  );
}

/**
 * Every CTA's share is within one step and one and a half item costs of equal, where pieces of one step are worth their cost; where pieces of m > 1
 * steps are the smallest, within 2 m steps and as many item costs. Costs of partial rows are not on the scheduler's line, and not counted.
 *
 * Why: a share ends where a cut may be, at most half a step (or m steps) from where it should. A share that begins inside of a unit starts it again:
 * one item cost. One that begins with a unit instead was given that unit's start by the share before. A unit of a single step is not cut, and half
 * of it may be on the wrong side: the half item cost.
 */
function checkEqualShares(plan: Plan, config: CheckedConfig): void {
  const { limits, costs, groupSize } = config;
  const shares = loadsOfPlan(plan, config).slice(0, plan.numShares);
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
  const equal = lineCost / plan.numShares;
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
    const [name, ctas] of [["share", loads.slice(0, plan.numShares)], ["queue", loads.slice(plan.numShares)]] as const
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
      const part = isDecode ? 2 : 8;
      const worth = minStepsOfPiece(stepCost, part * itemCost, numRows, part * costs.partialRow);
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

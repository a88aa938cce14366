/**
 * The planner's properties over random batches. FLASHPAGE_RANDOM_PLANS=10000 checks so many plans for each property; without it a few hundred,
 * in a few seconds.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CPU_COSTS, GPU_COSTS } from "../../src/planner/cost.ts";
import { loadsOfPlan, totalsOf } from "../../src/planner/loads.ts";
import { createPlanner } from "../../src/planner/planner.ts";
import type { PlannerConfig } from "../../src/planner/problem.ts";
import { H100_LIMITS } from "../../bench/support/h100_limits.ts";
import { checkPlan } from "../support/plan_check.ts";
import { usedWords } from "../support/plan_words.ts";
import { composedProblem, plainProblem } from "../support/problems.ts";
import { Random } from "../support/random.ts";
import { runs } from "../support/random_runs.ts";
import { checkPieceShares, checkShares } from "../support/share_check.ts";

const configs = fc.record({
  groupSize: fc.constantFrom(1, 2, 3, 4, 7, 8, 17, 64),
  numKvHeads: fc.constantFrom(1, 2, 3, 8),
  causal: fc.boolean(),
  windowLeft: fc.constantFrom(-1, -1, 0, 5, 100, 700),
  windowRight: fc.constantFrom(-1, -1, -1, 0, 9),
  numCtas: fc.constantFrom(1, 2, 13, 264),
  prefillCtas: fc.constantFrom(0, 0, 1, 5, 132),
  readsStarts: fc.boolean(),
  kvTile: fc.constantFrom(16, 64, 128),
  costs: fc.constantFrom(GPU_COSTS, CPU_COSTS),
  batchInvariant: fc.boolean(),
});

type RandomConfig = typeof configs extends fc.Arbitrary<infer T> ? T : never;

function configOf(
  { groupSize, numKvHeads, causal, windowLeft, windowRight, numCtas, prefillCtas, readsStarts, kvTile, ...rest }:
    RandomConfig,
): PlannerConfig {
  const { costs, batchInvariant } = rest;
  const limits = {
    numCtas,
    decodeRows: 16,
    prefillRows: 128,
    decodeKvTile: kvTile,
    prefillKvTile: kvTile,
    prefillCtas,
    readsStarts,
  };
  return {
    numQoHeads: groupSize * numKvHeads,
    numKvHeads,
    headDimVo: 64,
    causal,
    windowLeft,
    windowRight,
    limits,
    costs,
    batchInvariant,
  };
}

/** Levels are for plans that are not batch-invariant. */
function composedConfigOf(config: RandomConfig): PlannerConfig {
  return { ...configOf(config), batchInvariant: false };
}

const batches = fc.record({
  qoLens: fc.array(fc.constantFrom(0, 1, 1, 1, 1, 2, 3, 16, 40, 200), { maxLength: 12 }),
  seed: fc.nat(),
  maxKvLen: fc.constantFrom(1, 64, 500, 3000),
  pageSize: fc.constantFrom(1, 5, 16, 64),
});

describe("planner", () => {
  it("computes every visible KV token of every row once, for any batch", () => {
    fc.assert(
      fc.property(configs, batches, (config, { qoLens, seed, maxKvLen, pageSize }) => {
        const planner = createPlanner(configOf(config));
        const random = new Random(seed);
        // Three batches with one planner: what the second leaves behind must not disturb the third.
        for (let i = 0; i < 3; i++) {
          const kvLens = qoLens.map(() => random.next() < 0.1 ? 0 : random.integer(1, maxKvLen));
          const allowsMasks = !config.batchInvariant || config.prefillCtas === 0;
          const problem = plainProblem(random, qoLens, kvLens, pageSize, i === 2 && allowsMasks ? 0.4 : 0);
          checkPlan(planner.plan(problem), problem, planner.config);
        }
      }),
      runs(250, 3),
    );
  });

  it("does so for composed levels, gathered rows and rows in no level", () => {
    fc.assert(
      fc.property(
        configs,
        batches,
        fc.integer({ min: 1, max: 4 }),
        (config, { qoLens, seed, maxKvLen, pageSize }, numLevels) => {
          const planner = createPlanner(composedConfigOf(config));
          const random = new Random(seed);
          for (let i = 0; i < 2; i++) {
            const problem = composedProblem(random, qoLens, numLevels, maxKvLen, pageSize);
            checkPlan(planner.plan(problem), problem, planner.config);
          }
        },
      ),
      runs(250, 2),
    );
  });

  it("keeps to a fixed capacity, with one layout for all batches", () => {
    fc.assert(
      fc.property(
        configs,
        fc.nat(),
        fc.boolean(),
        fc.constantFrom(1, 2, 40, 300),
        (config, seed, composes, maxQoLen) => {
          const capacity = { maxTokens: 300, maxRequests: 20, maxPages: 2000, maxLevels: composes ? 3 : 1, maxQoLen };
          const planner = createPlanner({ ...(composes ? composedConfigOf(config) : configOf(config)), capacity });
          const random = new Random(seed);
          let layout: unknown;
          for (let i = 0; i < 4; i++) {
            const numRequests = random.integer(0, 20);
            const qoLens = Array.from(
              { length: numRequests },
              () => random.integer(0, Math.min(maxQoLen, Math.floor(300 / Math.max(1, numRequests)))),
            );
            const problem = composes ? composedProblem(random, qoLens, random.integer(1, 3), 400, 16) : plainProblem(
              random,
              qoLens,
              qoLens.map(() => random.integer(0, 1600)),
              16,
            );
            const plan = planner.plan(problem);
            layout ??= plan.layout;
            assert.equal(plan.layout, layout);
            checkPlan(plan, problem, planner.config);
          }
        },
      ),
      runs(120, 4),
    );
  });

  it("forgets bundles with cut units when the next batch has equal shares", () => {
    const random = new Random(3);
    const config: PlannerConfig = {
      numQoHeads: 32,
      numKvHeads: 8,
      headDimVo: 64,
      causal: true,
      limits: H100_LIMITS,
      costs: GPU_COSTS,
    };
    const planner = createPlanner(config);
    const lengthsOf = (
      count: number,
      longest: number,
    ) => [longest, ...Array.from({ length: count - 1 }, (_, i) => 900 + 5 * i)];
    const bundled = plainProblem(random, new Array(56).fill(1), lengthsOf(56, 9000), 16);
    const shared = plainProblem(random, new Array(200).fill(1), lengthsOf(200, 9000), 16);
    const mixed = plainProblem(random, [...new Array(56).fill(1), 700, 300], [...lengthsOf(56, 9000), 700, 300], 16);
    const problems = [bundled, shared, mixed, shared, bundled];
    const plans = problems.map((problem) => {
      const plan = planner.plan(problem);
      checkPlan(plan, problem, planner.config);
      assert.deepEqual(usedWords(plan), usedWords(createPlanner(config).plan(problem)));
      return { numMerges: plan.numMerges, numWorkItems: plan.numWorkItems };
    });
    // Units were cut in all of them, in the bundles only those of the longest request.
    assert.ok(plans.every(({ numMerges }) => numMerges > 0));
    assert.equal(plans[0].numMerges, 8);
    assert.ok(plans[1].numMerges > 8);
  });

  it("gives the same words for the same batch, whatever was planned before", () => {
    fc.assert(
      fc.property(configs, batches, batches, fc.boolean(), (config, batch, other, composes) => {
        const problemOf = ({ qoLens, seed, maxKvLen, pageSize }: typeof batch) => {
          const random = new Random(seed);
          if (composes) return composedProblem(random, qoLens, random.integer(1, 3), maxKvLen, pageSize);
          return plainProblem(random, qoLens, qoLens.map(() => random.integer(0, maxKvLen)), pageSize);
        };
        const ownConfig = composes ? composedConfigOf(config) : configOf(config);
        const planner = createPlanner(ownConfig);
        const problem = problemOf(batch);
        const first = usedWords(planner.plan(problem));
        const again = usedWords(planner.plan(problem));
        planner.plan(problemOf(other));
        const last = usedWords(planner.plan(problem));
        const fresh = usedWords(createPlanner(ownConfig).plan(problem));
        for (const words of [again, last, fresh]) assert.deepEqual(words, first);
      }),
      runs(100, 5),
    );
  });

  it("reads no garbage of composed plans in plain ones, and the other way round", () => {
    fc.assert(
      fc.property(configs, batches, fc.nat(), (config, { qoLens, seed, maxKvLen, pageSize }, order) => {
        const planner = createPlanner(composedConfigOf(config));
        const random = new Random(seed);
        for (let i = 0; i < 4; i++) {
          const problem = (order >> i) % 2 === 0
            ? plainProblem(random, qoLens, qoLens.map(() => random.integer(0, maxKvLen)), pageSize)
            : composedProblem(random, qoLens, random.integer(1, 4), maxKvLen, pageSize);
          checkPlan(planner.plan(problem), problem, planner.config);
        }
      }),
      runs(60, 4),
    );
  });

  it("gives no CTA more than an equal share and the bound of its cuts", () => {
    fc.assert(
      fc.property(configs, batches, (config, { qoLens, seed, maxKvLen, pageSize }) => {
        const planner = createPlanner(configOf(config));
        const random = new Random(seed);
        const problem = plainProblem(random, qoLens, qoLens.map(() => random.integer(0, maxKvLen)), pageSize);
        const plan = planner.plan(problem);
        if (config.batchInvariant) {
          checkPieceShares(plan, planner.config);
          return;
        }
        checkShares(plan, planner.config);
        const { limits, costs, groupSize } = planner.config;
        const loads = loadsOfPlan(plan, planner.config);
        const stepCost = Math.max(limits.decodeKvTile * costs.decodeToken, limits.prefillKvTile * costs.prefillToken);
        const itemCost = Math.max(costs.decodeItem, costs.prefillItem);
        const rows = Math.max(limits.decodeRows, limits.prefillRows, groupSize);
        const piece = Math.max(stepCost, itemCost + costs.partialRow * rows + stepCost);
        // The scheduler's line has no partial rows and no second starts of cut units on it: each adds to what it cuts.
        const slack = 3 * piece + 2 * (itemCost + costs.partialRow * rows);
        const firstWhole = plan.numWorkItems - plan.numQueuedItems;
        for (const part of [loads.slice(0, plan.numShares), loads.slice(plan.numShares)]) {
          const totals = totalsOf(part);
          const share = totals.reduce((a, b) => a + b, 0) / Math.max(1, part.length);
          // Whoever draws a whole unit of the queue last may be that much later than others.
          const whole = part.flat().filter(({ item }) => item >= firstWhole).map(({ cost }) => cost);
          const longest = whole.reduce((a, b) => Math.max(a, b), 0);
          assert.ok(longest <= 0.5 * share + slack, `a whole unit costs ${longest}, an equal share ${share}`);
          for (const total of totals) {
            assert.ok(total <= share + longest + slack, `a CTA's load is ${total}, an equal share ${share}`);
          }
        }
      }),
      runs(200, 1),
    );
  });
});

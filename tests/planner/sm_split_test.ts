/** Mixed batches: which SMs the queue gets, and that the plan's shares and queue are laid for them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PLAN_HEADER } from "../../src/ffi/structs.gen.ts";
import { CPU_COSTS, GPU_COSTS } from "../../src/planner/cost.ts";
import { explainPlan } from "../../src/planner/explain.ts";
import { loadsOfPlan, totalsOf } from "../../src/planner/loads.ts";
import { ctaBeginOfPlan } from "../../src/planner/plan.ts";
import { createPlanner } from "../../src/planner/planner.ts";
import type { PlannerConfig } from "../../src/planner/problem.ts";
import { checkPlan } from "../support/plan_check.ts";
import { plainProblem } from "../support/problems.ts";
import { Random } from "../support/random.ts";
import { runs } from "../support/random_runs.ts";
import { checkShares } from "../support/share_check.ts";

const limits = {
  numCtas: 264,
  decodeRows: 16,
  prefillRows: 128,
  decodeKvTile: 64,
  prefillKvTile: 64,
  prefillCtas: 132,
};
const base: PlannerConfig = { numQoHeads: 32, numKvHeads: 8, headDimVo: 128, causal: true, limits };

function repeat(count: number, value: number): number[] {
  return Array<number>(count).fill(value);
}

function planOf(config: PlannerConfig, qoLens: number[], kvLens: number[]) {
  const planner = createPlanner(config);
  const problem = plainProblem(new Random(1), qoLens, kvLens, 16);
  const plan = planner.plan(problem);
  return { plan, problem, config: planner.config };
}

describe("SMs of a mixed batch", () => {
  it("are split so that shares and queue end together", () => {
    const { plan, config } = planOf(base, [...repeat(128, 1), 4096], repeat(129, 8192));
    const { numPrefillCtas, numShares, splitsSms, words } = plan;
    assert.ok(splitsSms);
    assert.equal(numPrefillCtas, 77);
    assert.equal(numShares, 264 - 2 * 77);
    assert.equal(words[PLAN_HEADER.numPrefillCtas], 77);
    assert.equal(words[PLAN_HEADER.numCtas], 264);
    const ctaBegin = ctaBeginOfPlan(plan);
    assert.ok(ctaBegin.subarray(numShares).every((begin) => begin === ctaBegin[numShares]));

    const loads = loadsOfPlan(plan, config);
    assert.equal(loads.length, numShares + numPrefillCtas);
    const { split } = GPU_COSTS;
    const totals = totalsOf(loads);
    // 55 SMs read, a little less than memory's rate needs.
    const slowdown = split!.fullRateSms * 132 / (132 - numPrefillCtas);
    assert.ok(slowdown > 1 && slowdown < 1.1);
    const shares = totals.slice(0, numShares).reduce((a, b) => a + b, 0) * split!.decodeTokenNs * slowdown;
    const queue = Math.max(...totals.slice(numShares)) * split!.prefillTokenNs;
    assert.ok(Math.abs(queue / shares - 1) < 0.05, `the queue takes ${queue} ns, the shares ${shares}`);
    assert.match(explainPlan(plan, config).text, / on 180 of 187 CTAs; of them queued for 77 CTAs: /);
  });

  it("are split in favour of prefill tiles where those are most, with fewer readers than memory's rate needs", () => {
    const { plan } = planOf(base, [...repeat(32, 1), 8192], [...repeat(32, 8192), 8192]);
    assert.ok(plan.numPrefillCtas > 72 && plan.numPrefillCtas < 132, `${plan.numPrefillCtas}`);
  });

  it("stay together if one side is next to nothing, or all is short", () => {
    for (
      const [qoLens, kvLens] of [
        [repeat(64, 1), repeat(64, 8192)],
        [[4096], [8192]],
        [[...repeat(128, 1), 100], repeat(129, 8192)],
        [[1, 8192], [4096, 8192]],
        [[1, 1, 100], [200, 300, 100]],
      ]
    ) {
      const { plan } = planOf(base, qoLens, kvLens);
      assert.equal(plan.splitsSms, false);
      assert.equal(plan.numShares, 264);
      assert.equal(plan.numPrefillCtas, qoLens.some((n) => n > 4) ? 132 : 0);
    }
  });

  it("stay together without a queue, on a CPU, and where cuts must not depend on the batch", () => {
    const qoLens = [...repeat(128, 1), 4096];
    const kvLens = repeat(129, 8192);
    for (
      const config of [
        { ...base, limits: { ...limits, prefillCtas: 0 } },
        { ...base, costs: CPU_COSTS },
        { ...base, batchInvariant: true },
      ]
    ) {
      const { plan } = planOf(config, qoLens, kvLens);
      assert.equal(plan.splitsSms, false);
      assert.equal(plan.numShares, 264);
    }
  });

  it("may be split in any plan of a fixed capacity, whatever the present batch is", () => {
    const capacity = { maxTokens: 300, maxRequests: 20, maxPages: 2000 };
    for (const [batchInvariant, splits] of [[false, true], [true, false]]) {
      const { plan } = planOf({ ...base, capacity, batchInvariant }, [1], [100]);
      assert.equal(plan.splitsSms, splits);
      assert.equal(plan.numPrefillCtas, 0);
    }
  });

  it("do all work once, in equal shares, on at least one SM for each side", () => {
    let numSplit = 0;
    const batches = fc.record({
      numDecodes: fc.integer({ min: 4, max: 40 }),
      decodeKv: fc.integer({ min: 500, max: 8000 }),
      chunks: fc.array(fc.integer({ min: 100, max: 1200 }), { minLength: 1, maxLength: 4 }),
      numSms: fc.constantFrom(2, 4, 16, 132),
      ctasOfSm: fc.constantFrom(1, 2, 3),
      capacity: fc.boolean(),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(batches, ({ numDecodes, decodeKv, chunks, numSms, ctasOfSm, capacity, seed }) => {
        const random = new Random(seed);
        const planner = createPlanner({
          ...base,
          numQoHeads: 8,
          numKvHeads: 2,
          limits: { ...limits, numCtas: numSms * ctasOfSm, prefillCtas: numSms },
          capacity: capacity ? { maxTokens: 5000, maxRequests: 50, maxPages: 32768 } : undefined,
        });
        const qoLens = [...repeat(numDecodes, 1), ...chunks];
        const kvLens = [
          ...qoLens.slice(0, numDecodes).map(() => random.integer(decodeKv >> 1, decodeKv)),
          ...chunks.map((chunk) => chunk + random.integer(0, 2000)),
        ];
        const problem = plainProblem(random, qoLens, kvLens, 16);
        const plan = planner.plan(problem);
        checkPlan(plan, problem, planner.config);
        checkShares(plan, planner.config);
        const { numPrefillCtas, numShares } = plan;
        if (numShares === planner.config.limits.numCtas) {
          assert.equal(numPrefillCtas, numSms);
          return;
        }
        numSplit++;
        assert.ok(numPrefillCtas >= 1 && numPrefillCtas < numSms, `${numPrefillCtas} of ${numSms} SMs`);
        assert.equal(numShares, (numSms - numPrefillCtas) * ctasOfSm);
        assert.ok(plan.splitsSms);
      }),
      // A third of them are split, so many that more than ten always are.
      runs(150, 7),
    );
    assert.ok(numSplit > 10, `${numSplit} plans were split`);
  });

  it("refuse costs that mean nothing", () => {
    for (const change of [{ prefillTokenNs: 0 }, { decodeTokenNs: NaN }, { fullRateSms: 1.5 }]) {
      const costs = { ...GPU_COSTS, split: { ...GPU_COSTS.split!, ...change } };
      assert.throws(() => createPlanner({ ...base, costs }), /costs\.split\./);
    }
  });
});

/** What `batchInvariant` promises of plans: a request is cut as if it were alone. That the bits follow is tests/conformance/batch_invariant_test.ts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CapacityError, InvalidArgumentError, NotSupportedError } from "../../src/errors.ts";
import { sharedPrefixLevels, singleLevel } from "../../src/formats/levels.ts";
import { pageTableFromLists } from "../../src/formats/page_table.ts";
import { indptrOf } from "../../src/formats/ragged.ts";
import { CPU_COSTS, GPU_COSTS } from "../../src/planner/cost.ts";
import { loadsOfPlan } from "../../src/planner/loads.ts";
import { mergeOfPlan, type Plan, planToJson, tileOfPlan, workItemOfPlan } from "../../src/planner/plan.ts";
import { createPlanner } from "../../src/planner/planner.ts";
import type { PlannerConfig } from "../../src/planner/problem.ts";
import { checkPlan } from "../support/plan_check.ts";
import { plainProblem } from "../support/problems.ts";
import { Random } from "../support/random.ts";
import { runs } from "../support/random_runs.ts";

/** An H100's limits, so that the worked examples of src/planner/pieces.ts hold. */
const limits = { numCtas: 264, decodeRows: 16, prefillRows: 128, decodeKvTile: 64, prefillKvTile: 64, prefillCtas: 0 };
const base: PlannerConfig = {
  numQoHeads: 32,
  numKvHeads: 8,
  headDimVo: 128,
  causal: true,
  limits,
  batchInvariant: true,
};

/** One KV head of one tile: its items in the order of KV, and the same as its merge lists them. */
interface UnitCuts {
  tile: object;
  head: number;
  items: { kvBegin: number; kvEnd: number; isPartial: boolean; needsMask: boolean; isMergedInKernel: boolean }[];
  mergeOrder: number[] | undefined;
}

/** How each request is computed: all that its bits can depend on. Where it lies in the batch and who computes it is left out. */
function cutsOfRequests(plan: Plan, qoIndptr: Int32Array): UnitCuts[][] {
  const requests: Map<string, UnitCuts>[] = Array.from({ length: qoIndptr.length - 1 }, () => new Map());
  const kvBeginOfRow = new Map<number, number>();
  const requestOf = (token: number): number => qoIndptr.findLastIndex((begin) => begin <= token);
  for (let i = 0; i < plan.numWorkItems; i++) {
    const { tile: index, kvHeadBegin, numKvHeads, kvBegin, kvEnd, partialRow, needsMask, merge } = workItemOfPlan(
      plan,
      i,
    );
    const { tokenBegin, pageBegin: _, maskByteBegin, ...tile } = tileOfPlan(plan, index);
    const request = requestOf(tokenBegin);
    for (let h = 0; h < numKvHeads; h++) {
      const head = kvHeadBegin + h;
      const key = `${tokenBegin} ${head}`;
      const unit = requests[request].get(key) ??
        {
          tile: { ...tile, token: tokenBegin - qoIndptr[request], isMasked: maskByteBegin >= 0 },
          head,
          items: [],
          mergeOrder: undefined,
        };
      requests[request].set(key, unit);
      unit.items.push({ kvBegin, kvEnd, isPartial: partialRow >= 0, needsMask, isMergedInKernel: merge >= 0 });
      if (partialRow >= 0) kvBeginOfRow.set(partialRow, kvBegin);
    }
  }
  for (let i = 0; i < plan.numMerges; i++) {
    const { tokenBegin, kvHead, partials } = mergeOfPlan(plan, i);
    const unit = requests[requestOf(tokenBegin)].get(`${tokenBegin} ${kvHead}`)!;
    unit.mergeOrder = partials.map((row) => kvBeginOfRow.get(row)!);
  }
  return requests.map((units) => {
    const list = [...units.values()];
    for (const { items } of list) items.sort((a, b) => a.kvBegin - b.kvBegin);
    return list.sort((a, b) => JSON.stringify([a.tile, a.head]) < JSON.stringify([b.tile, b.head]) ? -1 : 1);
  });
}

const configs = fc.record({
  group: fc.constantFrom(1, 4, 7, 17),
  numKvHeads: fc.constantFrom(1, 3, 8),
  causal: fc.boolean(),
  windowLeft: fc.constantFrom(-1, -1, 0, 100, 2500),
  windowRight: fc.constantFrom(-1, -1, 9),
  numCtas: fc.constantFrom(1, 4, 132, 264),
  prefillCtas: fc.constantFrom(0, 3, 132),
  prefillRows: fc.constantFrom(128, 128, 64, 17),
  prefillKvTile: fc.constantFrom(64, 80, 128),
  costs: fc.constantFrom(GPU_COSTS, CPU_COSTS),
});

function configOf(config: typeof configs extends fc.Arbitrary<infer T> ? T : never): PlannerConfig {
  const {
    group,
    numKvHeads,
    causal,
    windowLeft,
    windowRight,
    numCtas,
    prefillCtas,
    prefillRows,
    prefillKvTile,
    costs,
  } = config;
  return {
    ...{ numQoHeads: group * numKvHeads, numKvHeads, headDimVo: 64, causal, windowLeft, windowRight, costs },
    limits: { ...limits, numCtas, prefillCtas, prefillRows, prefillKvTile },
    batchInvariant: true,
  };
}

const lengths = fc.array(
  fc.record({
    qoLen: fc.constantFrom(0, 1, 1, 1, 3, 16, 40, 200),
    kvLen: fc.oneof(fc.constantFrom(0, 1, 64, 320, 321), fc.nat({ max: 9000 })),
  }),
  { minLength: 1, maxLength: 10 },
);

describe("batch-invariant plans", () => {
  it("cut a request as if it were alone, with and without a capacity", () => {
    fc.assert(
      fc.property(configs, lengths, fc.nat(), (config, batch, seed) => {
        const problemOf = (requests: typeof batch) =>
          plainProblem(new Random(seed), requests.map(({ qoLen }) => qoLen), requests.map(({ kvLen }) => kvLen), 64);
        const capacity = { maxTokens: 2100, maxRequests: 11, maxPages: 1700, maxKvLen: 9000 };
        const plain = createPlanner(configOf(config));
        const fixed = createPlanner({ ...configOf(config), capacity });
        const together = problemOf(batch);
        const cuts = cutsOfRequests(plain.plan(together), together.qoIndptr);
        assert.deepEqual(cutsOfRequests(fixed.plan(together), together.qoIndptr), cuts);
        batch.forEach((request, r) => {
          const alone = problemOf([request]);
          for (const planner of [plain, fixed]) {
            assert.deepEqual(cutsOfRequests(planner.plan(alone), alone.qoIndptr), [cuts[r]], `request ${r}`);
          }
        });
        const reversed = problemOf([...batch].reverse());
        assert.deepEqual(cutsOfRequests(plain.plan(reversed), reversed.qoIndptr), [...cuts].reverse());
      }),
      runs(100, 12),
    );
  });

  it("compute every visible KV token once within the tightest capacity, long requests and windows included", () => {
    fc.assert(
      fc.property(configs, lengths, fc.nat(), (config, batch, seed) => {
        const [qoLens, kvLens]: number[][] = [batch.map(({ qoLen }) => qoLen), batch.map(({ kvLen }) => kvLen)];
        const problem = plainProblem(new Random(seed), qoLens, kvLens, 512);
        const capacity = {
          maxTokens: Math.max(1, qoLens.reduce((a, b) => a + b, 0)),
          maxRequests: batch.length,
          maxPages: problem.pages!.indices.length,
          maxKvLen: Math.max(...kvLens),
        };
        const fixed = createPlanner({ ...configOf(config), capacity });
        checkPlan(fixed.plan(problem), problem, fixed.config);
        const growing = createPlanner(configOf(config));
        checkPlan(growing.plan(problem), problem, growing.config);
      }),
      runs(60, 2),
    );
  });

  it("differ from others in that those move a request's cuts with the batch", () => {
    const cutsOfFirst = (batchInvariant: boolean, kvLens: number[]): UnitCuts[] => {
      const problem = plainProblem(new Random(1), kvLens.map(() => 1), kvLens, 16);
      return cutsOfRequests(createPlanner({ ...base, batchInvariant }).plan(problem), problem.qoIndptr)[0];
    };
    assert.deepEqual(cutsOfFirst(true, [8192]), cutsOfFirst(true, [8192, 5000]));
    assert.notDeepEqual(cutsOfFirst(false, [8192]), cutsOfFirst(false, [8192, 5000]));
  });

  it("cut as src/planner/pieces.ts says: short requests not, long ones for all CTAs", () => {
    const planner = createPlanner(base);
    for (const [kvLen, pieces, length] of [[256, 1, 256], [320, 1, 320], [8192, 26, 320], [131072, 64, 2048]]) {
      const plan = planner.plan(plainProblem(new Random(1), [1], [kvLen], 64));
      const { workItems, merges } = planToJson(plan);
      assert.equal(merges.length, pieces > 1 ? 8 : 0);
      const ofHead = workItems.filter(({ kvHeadBegin, numKvHeads }) =>
        kvHeadBegin <= 3 && 3 < kvHeadBegin + numKvHeads
      );
      assert.deepEqual(
        ofHead.map(({ kvBegin, kvEnd }) => [kvBegin, kvEnd]),
        Array.from({ length: pieces }, (_, i) => [i * length, Math.min(kvLen, (i + 1) * length)]),
      );
      const busy = loadsOfPlan(plan, planner.config).filter((items) => items.length > 0).length;
      assert.equal(busy, Math.min(264, 8 * pieces), `CTAs that work on ${kvLen} tokens`);
    }
  });

  it("queue whole tiles, and pieces of those that are cut", () => {
    const planner = createPlanner({ ...base, limits: { ...limits, prefillCtas: 132 } });
    const problem = plainProblem(new Random(1), [1000, 32, 1], [1000, 20000, 9000], 64);
    const plan = planner.plan(problem);
    checkPlan(plan, problem, planner.config);
    // 31 tiles of 32 tokens and one of 8; 20000 tokens are 313 steps, and 6144 / 64 = 48 of them are worth a cut.
    assert.equal(plan.numQueuedItems, 32);
    assert.equal(plan.numQueuedPieces, 8 * 7);
  });

  it("reserve a workspace that the worst batch of decoding fills to the last row", () => {
    for (const [maxKvLen, pieces] of [[undefined, 66], [8192, 26], [320, 0]] as const) {
      const capacity = { maxTokens: 5, maxRequests: 5, maxPages: 5 * 330, maxKvLen };
      const planner = createPlanner({ ...base, capacity });
      const kvLen = maxKvLen ?? 66 * 320;
      const plan = planner.plan(plainProblem(new Random(1), Array(5).fill(1), Array(5).fill(kvLen), 64));
      assert.equal(plan.numPartialRows, 5 * 32 * pieces);
      assert.equal(plan.maxPartialRows, plan.numPartialRows);
      assert.equal(plan.layout.maxPartials, plan.numPartials);
      assert.equal(plan.layout.maxMerges, plan.numMerges);
    }
  });

  it("refuse what would make requests depend on each other, and say why", () => {
    const qoIndptr = indptrOf([1, 1]);
    const pages = pageTableFromLists([[1], [2]], [5, 16], 16);
    const levels = sharedPrefixLevels(qoIndptr, [{ requests: [0, 1], pages: [4] }], pages);
    const planner = createPlanner(base);
    const before = planToJson(planner.plan({ qoIndptr, pages }));
    const refuses = (type: new (message: string) => Error, message: RegExp, action: () => unknown): void =>
      assert.throws(action, (error: Error) => error instanceof type && message.test(error.message), message.source);
    refuses(NotSupportedError, /the batch has levels, with batchInvariant/, () => planner.plan({ qoIndptr, levels }));
    assert.deepEqual(planToJson(planner.plan({ qoIndptr, pages })), before);
    // One level, one row for each request: that is a page table.
    assert.deepEqual(planToJson(planner.plan({ qoIndptr, levels: singleLevel(qoIndptr, pages) })), before);

    const maskIndptr = Int32Array.of(0, 1, 1);
    assert.ok(planner.plan({ qoIndptr, pages, maskIndptr }));
    const queueing = createPlanner({ ...base, limits: { ...limits, prefillCtas: 132 } });
    assert.ok(queueing.plan({ qoIndptr, pages, maskIndptr: Int32Array.of(0, 0, 0) }));
    refuses(
      NotSupportedError,
      /custom masks, with batchInvariant/,
      () => queueing.plan({ qoIndptr, pages, maskIndptr }),
    );

    const capacity = { maxTokens: 4, maxRequests: 2, maxPages: 10 };
    refuses(
      NotSupportedError,
      /capacity.maxLevels is 2, with batchInvariant/,
      () => createPlanner({ ...base, capacity: { ...capacity, maxLevels: 2 } }),
    );
    refuses(
      InvalidArgumentError,
      /capacity.maxKvLen is 15, without batchInvariant/,
      () => createPlanner({ ...base, batchInvariant: false, capacity: { ...capacity, maxKvLen: 15 } }),
    );
    const short = createPlanner({ ...base, capacity: { ...capacity, maxKvLen: 15 } });
    refuses(CapacityError, /16 KV tokens in one request, but maxKvLen is 15/, () => short.plan({ qoIndptr, pages }));
  });
});

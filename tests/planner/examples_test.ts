/** What the planner does with batches of which one can say beforehand what is right. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CapacityError, InvalidArgumentError } from "../../src/errors.ts";
import { CTA_START } from "../../src/ffi/structs.gen.ts";
import { sharedPrefixLevels } from "../../src/formats/levels.ts";
import { pageTableFromLists } from "../../src/formats/page_table.ts";
import { indptrOf } from "../../src/formats/ragged.ts";
import { GPU_COSTS } from "../../src/planner/cost.ts";
import { loadsOfPlan, totalsOf } from "../../src/planner/loads.ts";
import { planToJson, workItemOfPlan } from "../../src/planner/plan.ts";
import { createPlanner } from "../../src/planner/planner.ts";
import type { PlannerConfig } from "../../src/planner/problem.ts";
import { checkPlan } from "../support/plan_check.ts";
import { plainProblem } from "../support/problems.ts";
import { Random } from "../support/random.ts";

const limits = { numCtas: 13, decodeRows: 16, prefillRows: 128, decodeKvTile: 64, prefillKvTile: 64, prefillCtas: 0 };
const base: PlannerConfig = { numQoHeads: 8, numKvHeads: 2, headDimVo: 128, causal: true, limits };

describe("planner, by example", () => {
  it("splits one long request over all CTAs and leaves short ones whole", () => {
    const planner = createPlanner(base);
    const plan = planner.plan(plainProblem(new Random(1), [1, 1, 1], [20000, 60, 60], 16));
    const cut = planToJson(plan).merges;
    assert.equal(cut.length, 2);
    assert.deepEqual(cut.map(({ tokenBegin }) => tokenBegin), [0, 0]);
    const isPiece = ({ item }: { item: number }): boolean => workItemOfPlan(plan, item).partialRow >= 0;
    const totals = totalsOf(loadsOfPlan(plan, planner.config).filter((items) => items.some(isPiece)));
    // The short requests have a CTA for each KV head. What is left over by dividing the others is too little for one more piece of each head.
    const { limits: { numCtas }, numKvHeads } = planner.config;
    assert.ok(totals.length > numCtas - 3 * numKvHeads, `${totals.length} CTAs have a piece`);
    assert.ok(Math.max(...totals) < 1.1 * totals.reduce((a, b) => a + b, 0) / totals.length);
  });

  it("cuts no unit of a batch of like ones, whose last share then has fewer", () => {
    const planner = createPlanner({ ...base, costs: GPU_COSTS });
    const plan = planner.plan(plainProblem(new Random(1), Array(64).fill(1), Array(64).fill(1000), 16));
    assert.equal(plan.numMerges, 0);
    const units = loadsOfPlan(plan, planner.config).map((items) =>
      items.reduce((sum, { item }) => sum + workItemOfPlan(plan, item).numKvHeads, 0)
    );
    assert.deepEqual(units, [...Array(12).fill(10), 8]);
  });

  it("tells each CTA of a small batch at once which rows and pages its item has, and none of a large one", () => {
    const planner = createPlanner({ ...base, limits: { ...limits, readsStarts: true } });
    const startsOf = (numRequests: number, pageSize: number): number => {
      const lens = Array.from({ length: numRequests }, (_, r) => 1500 + r);
      const problem = plainProblem(new Random(1), Array(numRequests).fill(1), lens, pageSize);
      const plan = planner.plan(problem);
      checkPlan(plan, problem, planner.config);
      const { words, layout } = plan;
      let count = 0;
      for (let cta = 0; cta < limits.numCtas; cta++) {
        if (words[layout.startsOffset + cta * CTA_START.words + CTA_START.numTokens] > 0) count++;
      }
      return count;
    };
    assert.equal(startsOf(3, 16), 12); // six units, two pieces each
    assert.equal(startsOf(2, 64), 12);
    assert.equal(startsOf(6, 32), 12);
    assert.equal(startsOf(1, 16), 12);
    assert.equal(startsOf(2, 8), 0);
    assert.equal(startsOf(2, 16), 12);
    assert.equal(startsOf(40, 16), 0);
    for (const config of [base, { ...base, limits: { ...limits, readsStarts: true }, batchInvariant: true }]) {
      assert.equal(createPlanner(config).plan(plainProblem(new Random(1), [1], [300], 16)).layout.startsOffset, 0);
    }
  });

  it("reads no KV beyond a window", () => {
    const planner = createPlanner({ ...base, windowLeft: 127 });
    const plan = planToJson(planner.plan(plainProblem(new Random(1), [1, 1], [10000, 9000], 16)));
    const tokens = plan.workItems.reduce(
      (sum, { kvBegin, kvEnd, numKvHeads }) => sum + (kvEnd - kvBegin) * numKvHeads,
      0,
    );
    assert.equal(tokens, 2 * 2 * 128);
  });

  it("puts a shared prefix into one tile of all its requests", () => {
    const qoIndptr = indptrOf([1, 1, 1, 1]);
    const suffixes = pageTableFromLists([[10], [11], [12], [13]], [3, 16, 9, 1], 16);
    const levels = sharedPrefixLevels(qoIndptr, [{ requests: [0, 2, 3], pages: [1, 2, 3, 4] }], suffixes);
    const planner = createPlanner(base);
    const plan = planToJson(planner.plan({ qoIndptr, levels }));
    const prefix = plan.tiles.filter(({ kvLen }) => kvLen === 64);
    assert.equal(prefix.length, 1);
    assert.ok(prefix[0].gathered);
    assert.deepEqual(plan.rowEntries, [{ token: 0, qoPos: 66 }, { token: 2, qoPos: 72 }, { token: 3, qoPos: 64 }]);
    // Request 1 has one level, so its result is final.
    assert.ok(plan.merges.every(({ tokenBegin }) => tokenBegin !== 1));
  });

  it("makes room for one level more than the batch before had", () => {
    const planner = createPlanner(base);
    const qoIndptr = indptrOf(Array(8).fill(1));
    // Requests in reverse order: every tile is gathered, and every token has a row entry at each level.
    const level = {
      rowIndptr: Int32Array.of(0, 8),
      rowIndices: Int32Array.from({ length: 8 }, (_, i) => 7 - i),
      pages: pageTableFromLists([[1, 2, 3]], [48], 16),
    };
    for (let numLevels = 1; numLevels <= 4; numLevels++) {
      const problem = { qoIndptr, levels: Array(numLevels).fill(level) };
      const plan = planner.plan(problem);
      assert.equal(plan.numRowEntries, 8 * numLevels);
      checkPlan(plan, problem, planner.config);
    }
  });

  it("has a small layout again some batches after a large one", () => {
    const planner = createPlanner(base);
    const small = plainProblem(new Random(1), [1, 1], [300, 20], 16);
    const atFirst = planner.plan(small).layout.numPlanWords;
    planner.plan(plainProblem(new Random(2), [20000, 1], [20000, 50], 16));
    assert.ok(planner.plan(small).layout.numPlanWords > 4 * atFirst);
    for (let i = 0; i < 40; i++) checkPlan(planner.plan(small), small, planner.config);
    assert.ok(planner.plan(small).layout.numPlanWords <= 2 * atFirst);
    // Batches that are large now and then keep it large.
    const large = plainProblem(new Random(2), [20000, 1], [20000, 50], 16);
    const full = planner.plan(large).layout.numPlanWords;
    for (let i = 0; i < 40; i++) planner.plan(i % 8 === 0 ? large : small);
    assert.equal(planner.plan(small).layout.numPlanWords, full);
  });

  it("reports a workspace that no batch within the capacity passes", () => {
    const capacity = { maxTokens: 64, maxRequests: 64, maxPages: 4096 };
    const planner = createPlanner({ ...base, capacity });
    const empty = planner.plan(plainProblem(new Random(1), [], [], 16));
    const { maxPartialRows, workspaceBytes } = empty;
    // Not all alike: those would not be cut.
    const kvLens = Array.from({ length: 64 }, (_, r) => 900 + r);
    const full = planner.plan(plainProblem(new Random(1), Array(64).fill(1), kvLens, 16));
    assert.equal(full.maxPartialRows, maxPartialRows);
    assert.equal(full.workspaceBytes, workspaceBytes);
    assert.equal(workspaceBytes, maxPartialRows * 129 * 4);
    assert.ok(full.numPartialRows > 0 && full.numPartialRows <= maxPartialRows);
  });

  it("launches nothing for prefill if no request within the capacity has so many query tokens", () => {
    // Four query heads a KV head: a decode tile has room for 4 tokens.
    const extent = { maxTokens: 64, maxRequests: 16, maxPages: 100 };
    const queued = { ...base, limits: { ...limits, prefillCtas: 5 } };
    for (
      const [maxQoLen, maxLevels, batchInvariant, tileClasses] of [
        [undefined, 1, false, 3],
        [5, 1, false, 3],
        [4, 1, false, 1],
        [1, 1, false, 1],
        [1, 1, true, 1],
        [1, 2, false, 3], // a level's row has the tokens of several requests
      ] as const
    ) {
      const planner = createPlanner({ ...queued, batchInvariant, capacity: { ...extent, maxQoLen, maxLevels } });
      const plan = planner.plan(plainProblem(new Random(1), [1, 1, 1], [40, 300, 5], 16));
      const name = `maxQoLen ${maxQoLen}, maxLevels ${maxLevels}, batchInvariant ${batchInvariant}`;
      assert.equal(plan.tileClasses, tileClasses, name);
      assert.equal(plan.launchesMerges, tileClasses === 3, name);
      assert.equal(plan.splitsSms, tileClasses === 3 && !batchInvariant, name);
    }
    const rowsOf = (maxQoLen?: number): number =>
      createPlanner({ ...queued, capacity: { ...extent, maxQoLen } }).frame!.maxPartialRows;
    // 12 cuts of the shares, two pieces of 4 rows each.
    assert.equal(rowsOf(1), 12 * 2 * 4);
    assert.ok(rowsOf(4) > rowsOf(1) && rowsOf() > rowsOf(4));
  });
});

describe("planner, bad input", () => {
  const planner = createPlanner({ ...base, capacity: { maxTokens: 4, maxRequests: 2, maxPages: 10, maxQoLen: 3 } });
  const pages = pageTableFromLists([[1], [2, 3]], [5, 20], 16);
  const good = { qoIndptr: indptrOf([1, 2]), pages };

  it("names what does not fit, and keeps the last plan", () => {
    const before = planToJson(planner.plan(good));
    const tooLong = pageTableFromLists([Array.from({ length: 11 }, (_, i) => i)], [170], 16);
    const cases: [object, ErrorConstructor | typeof CapacityError, RegExp][] = [
      [{ qoIndptr: indptrOf([3, 2]), pages }, CapacityError, /5 query tokens, but maxTokens is 4/],
      [
        { qoIndptr: indptrOf([1, 1, 1]), pages: pageTableFromLists([[1], [1], [1]], [1, 1, 1], 16) },
        CapacityError,
        /3 requests, but maxRequests is 2/,
      ],
      [{ qoIndptr: indptrOf([1]), pages: tooLong }, CapacityError, /11 page ids, but maxPages is 10/],
      [{ qoIndptr: indptrOf([0, 4]), pages }, CapacityError, /4 query tokens in one request, but maxQoLen is 3/],
      [
        {
          qoIndptr: indptrOf([1, 1]),
          levels: sharedPrefixLevels(indptrOf([1, 1]), [{ requests: [0, 1], pages: [4] }], pages),
        },
        CapacityError,
        /maxLevels is 1/,
      ],
      [{ qoIndptr: Int32Array.of(0, 2, 1), pages }, InvalidArgumentError, /falls from 2 to 1/],
      [
        {
          qoIndptr: indptrOf([1]),
          pages: {
            indptr: Int32Array.of(0, 2 ** 20),
            indices: new Int32Array(2 ** 20),
            lastPageLen: Int32Array.of(1024),
            pageSize: 1024,
          },
        },
        InvalidArgumentError,
        /row 0 has 1073741824 KV tokens. At most 2\^30 - 1 fit/,
      ],
      [{ qoIndptr: Int32Array.of(1, 2, 3), pages }, InvalidArgumentError, /starts with 1/],
      [{ qoIndptr: indptrOf([1]), pages }, InvalidArgumentError, /1 requests, the page table has 2 rows/],
      [{ qoIndptr: new Int32Array(0), pages }, InvalidArgumentError, /qoIndptr is empty/],
      [{ qoIndptr: indptrOf([1, 2]) }, InvalidArgumentError, /neither is/],
      [
        { ...good, pages: { ...pages, lastPageLen: Int32Array.of(5, 17) } },
        InvalidArgumentError,
        /lastPageLen of row 1 is 17/,
      ],
      [{ ...good, pages: { ...pages, pageSize: 16.5 } }, InvalidArgumentError, /pageSize is 16.5. Pass an integer/],
      [
        { ...good, pages: { ...pages, indices: Int32Array.of(1) } },
        InvalidArgumentError,
        /indptr ends with 3, but there are 1 page ids/,
      ],
      [{ ...good, maskIndptr: Int32Array.of(0, 1, 2) }, InvalidArgumentError, /mask of request 1 is 1 bytes/],
      [{ ...good, maskIndptr: Int32Array.of(0, 1) }, InvalidArgumentError, /maskIndptr has 2 entries for 2 requests/],
    ];
    for (const [problem, type, message] of cases) {
      assert.throws(
        () => planner.plan(problem as typeof good),
        (error: Error) => error instanceof type && message.test(error.message),
        message.source,
      );
    }
    assert.deepEqual(planToJson(planner.plan(good)), before);
  });

  it("refuses configurations that make no sense", () => {
    const bad: [Partial<PlannerConfig>, RegExp][] = [
      [{ numQoHeads: 7 }, /numQoHeads is 7/],
      [{ numQoHeads: 130, numKvHeads: 2 }, /1 to 64 times/],
      [{ numKvHeads: 0 }, /numKvHeads is 0/],
      [{ windowLeft: -2 }, /windowLeft is -2/],
      [{ limits: { ...limits, numCtas: 0 } }, /limits.numCtas is 0/],
      [{ limits: { ...limits, prefillRows: 8 } }, /limits.prefillRows is 8/],
      [{ costs: { ...GPU_COSTS, decodeToken: NaN } }, /costs.decodeToken is NaN/],
      [{ capacity: { maxTokens: 0, maxRequests: 1, maxPages: 1 } }, /capacity.maxTokens is 0/],
    ];
    for (const [change, message] of bad) {
      assert.throws(
        () => createPlanner({ ...base, ...change }),
        (error: Error) => error instanceof InvalidArgumentError && message.test(error.message),
      );
    }
  });
});

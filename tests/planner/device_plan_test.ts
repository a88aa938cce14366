/** The plan that the device makes is the host's, word for word, for random batches and configurations: a thousand, or FLASHPAGE_RANDOM_PLANS. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { it } from "node:test";
import fc from "fast-check";
import type { Device, Tensor } from "../../mod.ts";
import {
  checkDeviceBatch,
  type DeviceBatchShape,
  type DevicePlanOptions,
  writeDevicePlanArgs,
} from "../../src/attention/device_plan.ts";
import { checkDeviceStatus, planOfDeviceWords } from "../../src/attention/device_plan_status.ts";
import { PlanDecodeArgs } from "../../src/ffi/structs.gen.ts";
import { kvLen, type PageTable } from "../../src/formats/page_table.ts";
import { PlanBuffer } from "../../src/plan_buffers/upload.ts";
import { CPU_COSTS, GPU_COSTS } from "../../src/planner/cost.ts";
import { ctaBeginOfPlan, mergeOfPlan, type Plan, planToJson, workItemOfPlan } from "../../src/planner/plan.ts";
import { createPlanner, type Planner } from "../../src/planner/planner.ts";
import type { PlannerConfig } from "../../src/planner/problem.ts";
import { IS_EMULATED, onEveryBackend } from "../support/backends.ts";
import { usedWords } from "../support/plan_words.ts";
import { plainProblem } from "../support/problems.ts";
import { Random } from "../support/random.ts";
import { runs } from "../support/random_runs.ts";

const MAX_PAGES = 50_000;

/** A planner of decode tiles with room for `maxRequests` of `maxQoLen` tokens. */
function plannerOf(random: Random, maxRequests: number, maxQoLen: number, groupSize: number): Planner {
  const numKvHeads = random.pick([1, 1, 2, 3, 8]);
  const kvTile = random.pick([16, 64, 64, 128]);
  const config: PlannerConfig = {
    numQoHeads: groupSize * numKvHeads,
    numKvHeads,
    headDimVo: 64,
    causal: random.next() < 0.7,
    windowLeft: random.pick([-1, -1, -1, 0, 5, 100, 700, 0x7fffffff]),
    windowRight: random.pick([-1, -1, 0, 9, 0x7fffffff]),
    limits: {
      numCtas: random.pick([1, 2, 5, 10, 13, 132, 264, 1100]),
      decodeRows: 16,
      prefillRows: 128,
      decodeKvTile: kvTile,
      prefillKvTile: kvTile,
      prefillCtas: random.pick([0, 132]),
      readsStarts: random.next() < 0.7,
    },
    costs: random.pick([GPU_COSTS, GPU_COSTS, CPU_COSTS, {
      ...GPU_COSTS,
      decodeToken: random.integer(1, 7),
      decodeItem: random.integer(1, 900),
      partialRow: random.integer(0, 30),
    }]),
    capacity: {
      maxTokens: maxRequests * maxQoLen,
      maxRequests,
      maxPages: MAX_PAGES,
      maxQoLen: random.pick([undefined, maxQoLen]),
    },
  };
  return createPlanner(config);
}

/** A batch as arrays, with requests behind it that have no query tokens. */
interface HostBatch {
  qoIndptr: Int32Array;
  pages: PageTable;
}

function batchOf(random: Random, { config }: Planner, maxRequests: number, maxQoLen: number): HostBatch {
  const pageSize = random.pick([1, 5, 16, 16, 64]);
  const most = Math.min(random.pick([1, 64, 200, 3000, 3000, 40_000]), Math.floor(MAX_PAGES / maxRequests) * pageSize);
  const alike = random.next() < 0.2;
  // One to three units a CTA, none of them short: such can be bundled.
  const inBundles = Math.ceil((1 + 2 * random.next()) * config.limits.numCtas / config.numKvHeads);
  const bundles = random.next() < 0.4 && inBundles <= maxRequests;
  const numRequests = bundles ? inBundles : random.integer(0, maxRequests);
  const usual = random.integer(0, most);
  const qoLens = Array.from(
    { length: numRequests },
    () => alike ? 1 : random.integer(!bundles && random.next() < 0.2 ? 0 : 1, maxQoLen),
  );
  const kvLens = qoLens.map(() =>
    alike ? usual : bundles ? random.integer(most >> 1, most) : random.next() < 0.1 ? 0 : random.integer(0, most)
  );
  const { qoIndptr, pages } = plainProblem(random, qoLens, kvLens, pageSize);
  return { qoIndptr, pages: pages! };
}

function padded(array: Int32Array, length: number, value: number): Int32Array {
  const longer = new Int32Array(length).fill(value);
  longer.set(array);
  return longer;
}

/** What the device made of a batch. */
interface Made {
  plan: Plan;
  slots: Int32Array;
  positions: Int32Array;
  kvLens: Int32Array | undefined;
}

/** Plans on the device. `kvLens`: give these instead of the last pages' lengths. */
async function planOnDevice(
  device: Device,
  planner: Planner,
  maxRequests: number,
  maxQoLen: number,
  { qoIndptr, pages }: HostBatch,
  kvLens?: Int32Array,
  appends = false,
): Promise<Made> {
  using stack = new DisposableStack();
  const i32 = (array: Int32Array): Tensor => stack.use(device.fromArray(array, "i32", [array.length]));
  const numRequests = qoIndptr.length - 1;
  const lengths = padded(kvLens ?? pages.lastPageLen, maxRequests, 0);
  const options: DevicePlanOptions = {
    qoIndptr: i32(padded(qoIndptr, maxRequests + 1, qoIndptr[numRequests])),
    pages: {
      indptr: i32(padded(pages.indptr, maxRequests + 1, pages.indptr[numRequests])),
      indices: i32(pages.indices.length === 0 ? new Int32Array(1) : pages.indices),
      [kvLens === undefined ? "lastPageLen" : "kvLens"]: i32(lengths),
      pageSize: pages.pageSize,
    },
    maxQoLen,
    appends,
    slots: i32(new Int32Array(maxRequests * maxQoLen)),
    positions: i32(new Int32Array(maxRequests * maxQoLen)),
  };
  const buffer = stack.use(new PlanBuffer(device));
  const shape: DeviceBatchShape = checkDeviceBatch(device, planner.config, options);
  const { layout, workspaceBytes } = planner.frame!;
  buffer.reserve(layout, workspaceBytes).fillBytes(0xee);
  const args = new PlanDecodeArgs();
  writeDevicePlanArgs(args, planner.config, planner.frame!, buffer, shape, options);
  device.native.check(device.native.fp_plan_decode(device.stream.handle, args.bytes), "plan");
  const words = await buffer.read(layout.numPlanWords, device.stream);
  checkDeviceStatus(words, shape, options);
  return {
    plan: planOfDeviceWords(words, planner.config, planner.frame!, shape, options),
    slots: await options.slots!.read() as Int32Array,
    positions: await options.positions!.read() as Int32Array,
    kvLens: await options.pages.kvLens?.read() as Int32Array | undefined,
  };
}

/** How the shares of a plan were laid (src/planner/shares.ts), as far as one can see. */
function kindOf(plan: Plan): string {
  const { numWorkItems, numMerges, numTiles, numKvHeads } = plan;
  if (numWorkItems === 0) return "nothing";
  const begins = ctaBeginOfPlan(plan);
  const counts = Array.from({ length: begins.length - 1 }, (_, cta) => begins[cta + 1] - begins[cta]);
  const tiles = Array.from({ length: numWorkItems }, (_, item) => workItemOfPlan(plan, item).tile);
  // Laid by length, and not in the order of tiles.
  if (tiles.some((tile, item) => item > 0 && tile < tiles[item - 1])) return "bundles";
  if (numMerges > 0) return counts.every((count) => count <= 1) ? "spread" : "equal shares";
  return numTiles * numKvHeads > counts.length ? "whole units" : "spread, nothing cut";
}

/** The same, and of bundles with cut units what is cut. */
function kindsOf(plan: Plan): string[] {
  const kinds = [kindOf(plan)];
  if (kinds[0] !== "bundles" || plan.numMerges === 0) return kinds;
  if (plan.numKvHeads > 1) kinds.push("cut bundles of several heads");
  const merges = Array.from({ length: plan.numMerges }, (_, merge) => mergeOfPlan(plan, merge));
  if (merges.some(({ numTokens }) => numTokens > 1)) kinds.push("cut bundles of several tokens");
  return kinds;
}

function assertSamePlan(made: Plan, host: Plan): void {
  if (Buffer.compare(Buffer.from(usedWords(made).buffer), Buffer.from(usedWords(host).buffer)) === 0) return;
  // Which field of which entry it is.
  assert.deepEqual({ ...planToJson(made), numTokens: 0 }, { ...planToJson(host), numTokens: 0 });
  assert.deepEqual(usedWords(made), usedWords(host));
}

onEveryBackend("planning on the device", (device) => {
  const { numRuns } = runs(IS_EMULATED ? 300 : 1000, 1);
  const seeds = fc.record({
    seed: fc.nat(),
    maxRequests: fc.constantFrom(1, 3, 16, 64, 300, 1200),
    groupSize: fc.constantFrom(1, 4, 7, 16),
    maxQoLen: fc.constantFrom(1, 1, 2, 4, 16),
  });

  it("gives the host's plan word for word, slots and positions", { timeout: 600_000 }, async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(seeds, async ({ seed, maxRequests, groupSize, maxQoLen: wanted }) => {
        const random = new Random(seed);
        const maxQoLen = Math.min(wanted, Math.floor(16 / groupSize));
        const planner = plannerOf(random, maxRequests, maxQoLen, groupSize);
        const batch = batchOf(random, planner, maxRequests, maxQoLen);
        const { qoIndptr, pages } = batch;
        const host = planner.plan(batch);
        const lengths = Int32Array.from(pages.lastPageLen, (_, r) => kvLen(pages, r));
        const kind = kindOf(host);
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        const made = await planOnDevice(
          device(),
          planner,
          maxRequests,
          maxQoLen,
          batch,
          random.next() < 0.3 ? lengths : undefined,
        );
        assertSamePlan(made.plan, host);
        const slots = new Int32Array(maxRequests * maxQoLen).fill(-1);
        const positions = new Int32Array(maxRequests * maxQoLen);
        lengths.forEach((length, r) => {
          for (let token = qoIndptr[r]; token < qoIndptr[r + 1]; token++) {
            const position = length - qoIndptr[r + 1] + token;
            positions[token] = position;
            if (position < 0) continue;
            const page = pages.indices[pages.indptr[r] + Math.floor(position / pages.pageSize)];
            slots[token] = page * pages.pageSize + position % pages.pageSize;
          }
        });
        assert.deepEqual(made.slots, slots);
        assert.deepEqual(made.positions, positions);
      }),
      { numRuns, seed: 5 },
    );
    // Each way to lay shares has been tried, and often.
    for (const kind of ["nothing", "spread", "whole units", "bundles", "equal shares"]) {
      assert.ok((seen.get(kind) ?? 0) >= numRuns / 40, `${kind}: ${seen.get(kind)} of ${numRuns} plans`);
    }
  });

  it("gives the host's plan of batches in bundles, some with cut units", async () => {
    const seen = new Map<string, number>();
    const numRounds = IS_EMULATED ? 60 : 200;
    for (let round = 0; round < numRounds; round++) {
      const random = new Random(100 + round);
      const groupSize = random.pick([1, 4, 7]);
      const numKvHeads = random.pick([1, 2, 3, 8]);
      const numCtas = random.pick([13, 132, 264, 500]);
      // One to three units a CTA.
      const numRequests = Math.max(2, Math.floor((1 + 1.8 * random.next()) * numCtas / numKvHeads));
      const maxQoLen = random.integer(1, Math.floor(16 / groupSize));
      const planner = createPlanner({
        numQoHeads: groupSize * numKvHeads,
        numKvHeads,
        headDimVo: 64,
        causal: true,
        windowLeft: random.pick([-1, -1, 900]),
        limits: { numCtas, decodeRows: 16, prefillRows: 128, decodeKvTile: 64, prefillKvTile: 64, prefillCtas: 0 },
        costs: GPU_COSTS,
        capacity: {
          maxTokens: numRequests * maxQoLen,
          maxRequests: numRequests,
          maxPages: numRequests * 250,
          maxQoLen,
        },
      });
      const partOfLong = random.pick([0, 0.05, 0.1, 0.2]);
      const qoLens = Array.from({ length: numRequests }, () => random.integer(1, maxQoLen));
      const kvLens = qoLens.map(() =>
        random.next() < partOfLong ? random.integer(2000, 16000) : random.integer(600, 2000)
      );
      const { qoIndptr, pages } = plainProblem(random, qoLens, kvLens, 64);
      const host = planner.plan({ qoIndptr, pages });
      const made = await planOnDevice(device(), planner, numRequests, maxQoLen, { qoIndptr, pages: pages! });
      assertSamePlan(made.plan, host);
      for (const kind of kindsOf(host)) seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
    for (const kind of ["bundles", "cut bundles of several heads", "cut bundles of several tokens"]) {
      assert.ok((seen.get(kind) ?? 0) >= numRounds / 10, `${kind}: ${seen.get(kind)} of ${numRounds} plans`);
    }
  });

  it("gives the host's plan where a rule just holds, or just fails", async () => {
    const random = new Random(4);
    const compare = async (
      numCtas: number,
      steps: readonly number[],
      sharesBandwidth: boolean,
      numKvHeads = 1,
    ): Promise<string> => {
      const planner = createPlanner({
        numQoHeads: 4 * numKvHeads,
        numKvHeads,
        headDimVo: 64,
        limits: { numCtas, decodeRows: 16, prefillRows: 128, decodeKvTile: 64, prefillKvTile: 64, prefillCtas: 0 },
        costs: { ...GPU_COSTS, sharesBandwidth },
        capacity: { maxTokens: steps.length, maxRequests: steps.length, maxPages: 1000 },
      });
      const kvLens = steps.map((count) => 64 * count);
      const { qoIndptr, pages } = plainProblem(random, steps.map(() => 1), kvLens, 64);
      const host = planner.plan({ qoIndptr, pages });
      assertSamePlan((await planOnDevice(device(), planner, steps.length, 1, { qoIndptr, pages: pages! })).plan, host);
      return kindOf(host);
    };
    // A share is as large as a smallest piece with its item, 3 x 64 + 128, or misses that by a step or less: cuts lie on a coarse grid below it.
    for (let round = 0; round < 60; round++) {
      const numTiles = random.integer(1, 12);
      const numCtas = random.integer(Math.ceil(numTiles / 2), 30);
      const steps = new Array<number>(numTiles).fill(0);
      const total = Math.max(0, 5 * numCtas - 2 * numTiles + random.integer(-1, 1));
      for (let i = 0; i < total; i++) steps[random.integer(0, numTiles - 1)]++;
      await compare(numCtas, steps, false);
    }
    // Pieces 1.75 times as long as equal shares, and longer.
    assert.equal(await compare(2, [7, 1], true), "spread, nothing cut");
    assert.equal(await compare(2, [8, 0], true), "bundles");
    assert.equal(await compare(3, [8, 1], true), "spread");
    assert.equal(await compare(3, [8, 1, 3], true), "bundles");
    // Whole units for nine tenths of the CTAs, and for fewer.
    assert.equal(await compare(10, new Array(18).fill(9), true), "whole units");
    assert.equal(await compare(11, new Array(18).fill(9), true), "equal shares");
    // A bundle a tenth and four steps longer than an equal share, and one step longer.
    assert.equal(await compare(5, [9, 8, 9, 8, 9, 7], true), "bundles");
    assert.notEqual(await compare(5, [9, 8, 8, 8, 9, 8], true), "bundles");
    // A unit that is cut, into pieces that are worth it, and that are too short.
    assert.equal(await compare(5, [5, 5, 20, 5, 5, 5, 5], true), "bundles");
    assert.notEqual(await compare(5, [1, 1, 5, 1, 1, 1], true), "bundles");
    // Three rounds, the last short, and four.
    assert.equal(await compare(4, [3, 9, 3, 9, 9, 3, 9, 3, 3, 9, 3], true), "bundles");
    assert.notEqual(await compare(4, [5, 5, 5, 6, 5, 5, 5, 5, 5, 5, 5, 5, 5], true), "bundles");
    // More items than a plan has room for: 12 of 11.
    assert.notEqual(await compare(4, [22, 5, 5, 5, 5], true, 2), "bundles");
  });
});

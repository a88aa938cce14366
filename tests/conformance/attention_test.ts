/**
 * Attention against the oracle, on every backend.
 *
 *   FLASHPAGE_TEST_BACKEND=cuda      one backend alone
 *   FLASHPAGE_CONFORMANCE=full       the whole grid: for a GPU machine
 *   FLASHPAGE_CONFORMANCE=small      one small case for each kernel: for the emulated GPU (docs/emulation.md)
 *   FLASHPAGE_SHARD=2/16             every sixteenth case, from the second on: run 1/16 to 16/16 side by side
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import { BatchAttention, type Device, NotSupportedError, openDevice } from "../../mod.ts";
import { BACKENDS } from "../support/backends.ts";
import { Random } from "../support/random.ts";
import { buildBatch } from "./batch.ts";
import { type AttentionCase, EDGE_CASES, GRID, gridCases, type GridLimits } from "./cases.ts";
import { arithmeticOf, checkResult } from "./check.ts";
import { FP8_HEAD_DIMS, FP8_PREFILL_HEAD_DIMS } from "./fp8_cases.ts";
import { MIXED_DTYPES, smallCases } from "./small_cases.ts";
import { optionsOf, PLAIN_VARIANT, runBatch, type Variant, variantOf } from "./run.ts";

const SEED = 20261124;
const SIZE = process.env.FLASHPAGE_CONFORMANCE || "sample";

/** The whole grid has cases that a CPU computes in minutes; there they are bounded. */
const FULL_LIMITS: Record<"cpu" | "cuda", GridLimits> = {
  cpu: { maxWork: 2e10, maxKvElements: 3e7, maxQoElements: 1e7 },
  cuda: { maxWork: 2e12, maxKvElements: 1.5e8, maxQoElements: 1e8 },
};
const FULL_COUNT = 1000;
const SAMPLE_LIMITS: GridLimits = { maxWork: 3e9, maxKvElements: 1e7, maxQoElements: 2e6 };
const SAMPLE_COUNT = 400;

function shard(): [index: number, count: number] {
  const text = process.env.FLASHPAGE_SHARD || "1/1";
  const [index, count] = text.split("/").map(Number);
  if (!(Number.isInteger(index) && Number.isInteger(count) && index >= 1 && index <= count)) {
    throw new Error(`FLASHPAGE_SHARD is "${text}". Set it to I/N, with 1 <= I <= N.`);
  }
  return [index - 1, count];
}

function gridOf(backend: "cpu" | "cuda"): AttentionCase[] {
  switch (SIZE) {
    case "full":
      return gridCases(FULL_COUNT, SEED, FULL_LIMITS[backend]);
    case "sample":
      return gridCases(SAMPLE_COUNT, SEED, SAMPLE_LIMITS);
    case "small":
      return smallCases(SEED);
    default:
      throw new Error(`FLASHPAGE_CONFORMANCE is "${SIZE}". Set it to full or small, or leave it unset for a sample.`);
  }
}

/** Edge cases run dense and from our own cache first, so that a failure there is of the kernel and not of a layout. */
function variantsOf(index: number, isEdge: boolean): Variant[] {
  const drawn = variantOf(new Random(SEED + index));
  return isEdge ? [PLAIN_VARIANT, { ...drawn, hasCapacity: true }] : [drawn];
}

/** True if the library says that this device does not have the case's dtypes, and names them. The CPU has all, and every device 16 bits. */
function refusesByName(device: Device, attention: AttentionCase): boolean {
  const { dtype, kvDtype } = attention;
  try {
    new BatchAttention(device, optionsOf(attention)).dispose();
    return false;
  } catch (error) {
    const isOptional = device.kind !== "cpu" && (dtype === "f32" || kvDtype !== undefined);
    if (!(error instanceof NotSupportedError) || !isOptional) throw error;
    assert.match(error.message, new RegExp(`dtype is (${dtype}|${kvDtype})|With FP8 keys and values they must be`));
    return true;
  }
}

for (const backend of BACKENDS) {
  describe(`attention conformance on ${backend}`, () => {
    let device: Device;
    let owner: Device;
    before(async () => {
      device = await openDevice({ backend });
      owner = await openDevice({ backend });
    });
    after(() => {
      device.dispose();
      owner.dispose();
    });
    const grid = gridOf(backend);
    const [shardIndex, shardCount] = shard();
    [...EDGE_CASES, ...grid].forEach((attention: AttentionCase, index) => {
      if (index % shardCount !== shardIndex) return;
      it(attention.name, async () => {
        if (refusesByName(device, attention)) return;
        const batch = buildBatch(attention, SEED + index);
        // Small cases too run from our own cache first: that layout never takes the other kernel for gathered rows.
        for (const variant of variantsOf(index, index < EDGE_CASES.length || SIZE === "small")) {
          const before = device.memoryUsage().allocatedBytes;
          try {
            const result = await runBatch(device, owner, attention, batch, variant);
            checkResult(batch.oracle, arithmeticOf(attention, device), result, new Random(SEED + index));
          } catch (error) {
            throw new Error(`${JSON.stringify(variant)}: ${(error as Error).message}`, { cause: error });
          }
          assert.equal(device.memoryUsage().allocatedBytes, before, "memory was left allocated");
        }
      });
    });
  });
}

describe("the conformance table", () => {
  it("has every value of every axis", () => {
    for (const limits of [FULL_LIMITS.cpu, FULL_LIMITS.cuda]) {
      const cases = gridCases(FULL_COUNT, SEED, limits);
      const missing = (axis: readonly unknown[], valueOf: (attention: AttentionCase) => unknown): unknown[] =>
        axis.filter((value) => !cases.some((attention) => valueOf(attention) === value));
      assert.deepEqual(missing(GRID.batch, ({ kvLens }) => kvLens.length), []);
      assert.deepEqual(missing(GRID.pageSize, ({ pageSize }) => pageSize), []);
      assert.deepEqual(missing(GRID.groupSize, ({ groupSize }) => groupSize), []);
      assert.deepEqual(missing(GRID.numKvHeads, ({ numKvHeads }) => numKvHeads), []);
      assert.deepEqual(missing(GRID.logitsSoftCap, ({ logitsSoftCap }) => logitsSoftCap), []);
      assert.deepEqual(missing(GRID.windowLeft, ({ windowLeft }) => windowLeft), []);
      assert.deepEqual(missing(GRID.kvDtype, ({ kvDtype }) => kvDtype), []);
      assert.deepEqual(missing([undefined, "e4m3"], ({ qDtype }) => qDtype), []);
      assert.deepEqual(missing(GRID.scales, ({ scales }) => scales), []);
      assert.deepEqual(missing(GRID.sharedLevels, ({ sharedLevels }) => sharedLevels), []);
      const dims = GRID.headDims.map((pair) => pair.join("/"));
      assert.deepEqual(missing(dims, ({ headDim, headDimVo }) => `${headDim}/${headDimVo}`), []);
      assert.ok(cases.some(({ kvLens }) => Math.max(...kvLens) > 8192), "no long KV");
    }
  });

  it("has a small case for every kernel, with every page size, layout, window and kind of level", () => {
    const cases = smallCases(SEED);
    // Of each shape and dtype: one for decode, four for prefill, two for merging, three for FP8, and four for prefill in FP8 throughout. And of each
    // dtype the mixed batches.
    const ofShapes = GRID.headDims.length * 7 + FP8_HEAD_DIMS.length * 3 + FP8_PREFILL_HEAD_DIMS.length * 4;
    const ofDtype = ofShapes + MIXED_DTYPES.length;
    assert.equal(cases.length, GRID.dtype.length * ofDtype);
    for (
      const axis of ["pageSize", "kvLayout", "windowLeft", "windowRight", "sharedLevels", "logitsSoftCap"] as const
    ) {
      const values = new Set<unknown>(cases.map((attention) => attention[axis]));
      assert.deepEqual(GRID[axis].filter((value) => !values.has(value)), [], axis);
    }
  });
});

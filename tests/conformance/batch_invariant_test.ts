/**
 * With `batchInvariant` the bits of a request's output and LSE are the same whatever else is in the batch: the same request alone, first, last, among
 * 40 others and in another order of them, with and without a capacity.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  BatchAttention,
  type BatchAttentionOptions,
  type Device,
  type DType,
  indptrOf,
  NotSupportedError,
  openDevice,
  packCustomMask,
  PagedKvCache,
  type RawArray,
} from "../../mod.ts";
import { isFp8, toRaw } from "../../src/device/dtype.ts";
import { pageTableFromLists } from "../../src/formats/page_table.ts";
import { sharedPrefixLevels } from "../../src/formats/levels.ts";
import { BACKENDS, IS_EMULATED } from "../support/backends.ts";
import { hasFp8 } from "../support/fp8.ts";
import { Random } from "../support/random.ts";

const [numKvHeads, groupSize, headDim, pageSize, numPages] = [2, 4, 64, 16, 640];
const numQoHeads = numKvHeads * groupSize;
const rowElements = numQoHeads * headDim;

/** A request: its queries as raw elements, its pages, and how many KV tokens they hold. */
interface Request {
  qoLen: number;
  kvLen: number;
  pages: number[];
  q: RawArray;
}

/** Raw output elements, and LSE. */
interface Bits {
  out: RawArray;
  lse: Float32Array;
}

function request(random: Random, dtype: DType, qoLen: number, kvLen: number): Request {
  // Pages may be anybody's: nobody writes them.
  const pages = Array.from({ length: Math.ceil(kvLen / pageSize) }, () => random.integer(0, numPages - 1));
  return { qoLen, kvLen, pages, q: toRaw(dtype, random.normals(qoLen * rowElements)) as RawArray };
}

/** Runs a batch and gives the bits of the request at one place. */
async function bitsOf(
  device: Device,
  attention: BatchAttention,
  cache: PagedKvCache,
  dtype: DType,
  batch: readonly Request[],
  place: number,
  isMasked = false,
): Promise<Bits> {
  const qoIndptr = indptrOf(batch.map(({ qoLen }) => qoLen));
  const numTokens = qoIndptr[batch.length];
  const raw = toRaw(dtype, new Float32Array(numTokens * rowElements)) as RawArray;
  batch.forEach(({ q }, r) => raw.set(q, qoIndptr[r] * rowElements));
  // Of all requests but the one that is looked at: every third key is hidden.
  const masks = batch.map(({ qoLen, kvLen }, r) =>
    r === place ? null : Uint8Array.from({ length: qoLen * kvLen }, (_, i) => i % 3 === 0 ? 0 : 1)
  );
  attention.plan({
    qoIndptr,
    pages: pageTableFromLists(batch.map(({ pages }) => pages), batch.map(({ kvLen }) => kvLen), pageSize),
    customMask: isMasked ? packCustomMask(masks) : undefined,
  });
  using q = device.fromArray(raw, dtype, [numTokens, numQoHeads, headDim]);
  using lse = device.tensor([numTokens, numQoHeads], "f32");
  using out = attention.run({ q, cache, lse });
  const [begin, end] = [qoIndptr[place], qoIndptr[place + 1]];
  const lses = await lse.read() as Float32Array;
  return {
    out: (await out.readRaw()).slice(begin * rowElements, end * rowElements) as RawArray,
    lse: lses.slice(begin * numQoHeads, end * numQoHeads),
  };
}

function assertSame(found: Bits, expected: Bits, where: string): void {
  const differing = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).filter((value, i) => !Object.is(value, b[i])).length;
  assert.equal(found.out.length, expected.out.length);
  assert.equal(differing(found.out, expected.out), 0, `elements of out that differ ${where}`);
  assert.equal(differing(found.lse, expected.lse), 0, `LSE that differ ${where}`);
}

/** The shapes of requests: few rows, which the CPU works on with all KV heads at once; one tile of many rows; some tiles, the last not full. */
const SHAPES = { "decode": 1, "append": 16, ...(IS_EMULATED ? {} : { "prefill": 150 }) };

/** Long enough to be cut on every backend, and no multiple of anything; on the emulated GPU no longer than need be. */
const [KV_LEN, WINDOW, NUM_OTHERS] = IS_EMULATED ? [2513, 2300, 3] : [7013, 3000, 40];

const MASKS: Record<string, Partial<BatchAttentionOptions>> = {
  "causal": { causal: true },
  "causal with a window": { causal: true, windowLeft: WINDOW },
  "windows on both sides": { windowLeft: WINDOW - 100, windowRight: 5, logitsSoftCap: 20 },
};

const DTYPES: readonly (readonly [dtype: DType, kvDtype: DType])[] = [
  ["bf16", "bf16"],
  ["f16", "f16"],
  ["f32", "f32"],
  ["bf16", "e4m3"],
  ["f32", "e5m2"],
];

/** More CTAs than the long prompt has units, so that it is cut. */
const NUM_THREADS = 12;

function defineTests(device: () => Device, backend: string): void {
  for (const [dtype, kvDtype] of DTYPES) {
    if (backend !== "cpu" && dtype === "f32" || IS_EMULATED && dtype !== "bf16") continue;
    for (const [shape, qoLen] of Object.entries(SHAPES)) {
      for (const [mask, options] of Object.entries(MASKS)) {
        it(`gives a ${shape} request of ${dtype}, ${kvDtype} the same bits in every batch, ${mask}`, async () => {
          if (isFp8(kvDtype) && !hasFp8(device(), kvDtype)) return;
          const random = new Random(qoLen + KV_LEN);
          using cache = new PagedKvCache(device(), { numPages, pageSize, numKvHeads, headDim, dtype: kvDtype });
          const { k, v } = cache.layer(0);
          const elements = numPages * pageSize * numKvHeads * headDim;
          k.write(toRaw(kvDtype, random.normals(elements)) as RawArray);
          v.write(toRaw(kvDtype, random.normals(elements)) as RawArray);
          const common = { numQoHeads, numKvHeads, headDim, dtype, kvDtype, ...options, batchInvariant: true };
          using plain = new BatchAttention(device(), common);
          const capacity = { maxTokens: 2000, maxRequests: 50, maxPages: 6000, maxKvLen: KV_LEN };
          using fixed = new BatchAttention(device(), { ...common, capacity });

          const own = request(random, dtype, qoLen, KV_LEN);
          const others = Array.from({ length: NUM_OTHERS }, () =>
            request(
              random,
              dtype,
              random.pick([0, 1, 1, 1, 1, 2, 16, 17, 130]),
              random.pick([0, 1, 200, random.integer(2, 2000)]),
            ));
          const alone = await bitsOf(device(), plain, cache, dtype, [own], 0);
          const { numMerges } = plain.currentPlan!;
          assert.ok(numMerges > 0, "the request is not cut, so that this test shows nothing");
          assert.ok(alone.lse.every(Number.isFinite));

          const middle = Math.floor(NUM_OTHERS / 2);
          const shuffled = random.shuffled(others);
          const silent: Request = { ...own, qoLen: 0, q: own.q.slice(0, 0) as RawArray };
          const batches: [where: string, batch: Request[], place: number][] = [
            ["alone", [own], 0],
            ["first", [own, ...others], 0],
            ["last", [...others, own], NUM_OTHERS],
            ["in the middle", [...others.slice(0, middle), own, ...others.slice(middle)], middle],
            [
              "among others in another order",
              [...shuffled.slice(0, middle + 1), own, ...shuffled.slice(middle + 1)],
              middle + 1,
            ],
            ["beside a longer request", [request(random, dtype, 3, KV_LEN + 987), own], 1],
            ["beside its twin, and one without queries", [own, silent, own], 2],
          ];
          for (const [where, batch, place] of batches) {
            for (const attention of [plain, fixed]) {
              if (attention === fixed && batch.some(({ kvLen }) => kvLen > KV_LEN)) continue;
              const found = await bitsOf(device(), attention, cache, dtype, batch, place);
              assertSame(found, alone, `${where}, ${attention === fixed ? "with" : "without"} a capacity`);
            }
          }
          if (backend !== "cpu") return;
          const masked = await bitsOf(device(), plain, cache, dtype, [...others, own], NUM_OTHERS, true);
          assertSame(masked, alone, "among requests with custom masks");
        });
      }
    }
  }

  it("refuses levels, and keeps the plan", () => {
    using attention = new BatchAttention(device(), {
      numQoHeads,
      numKvHeads,
      headDim,
      dtype: "bf16",
      batchInvariant: true,
    });
    const qoIndptr = indptrOf([1, 1]);
    const pages = pageTableFromLists([[1], [2]], [5, 16], 16);
    const plan = attention.plan({ qoIndptr, pages });
    const levels = sharedPrefixLevels(qoIndptr, [{ requests: [0, 1], pages: [4] }], pages);
    assert.throws(() => attention.plan({ qoIndptr, levels }), NotSupportedError);
    assert.equal(attention.currentPlan, plan);
  });
}

for (const backend of BACKENDS) {
  describe(`batch-invariant attention on ${backend}`, () => {
    let opened: Device;
    before(async () => {
      opened = await openDevice({ backend, numThreads: NUM_THREADS });
    });
    after(() => opened.dispose());
    defineTests(() => opened, backend);
  });
}

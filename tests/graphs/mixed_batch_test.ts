/** Mixed batches: decode and prefill tiles with SMs of their own each. The same bits from run to run, in a graph too, and with errors in between. */
import assert from "node:assert/strict";
import { it } from "node:test";
import process from "node:process";
import {
  BatchAttention,
  type BatchAttentionOptions,
  capture,
  type Device,
  PagedKvCache,
  pageTableFromLists,
  type Plan,
  RunTrace,
  type Tensor,
  traceSvg,
} from "../../mod.ts";
import type { PlanCapacity } from "../../src/planner/problem.ts";
import { IS_EMULATED, onEveryBackend } from "../support/backends.ts";
import { Random } from "../support/random.ts";

const PAGE_SIZE = 16;
/** Of the emulated driver: the kernel whose launches it refuses. */
const REFUSED = "FLASHPAGE_EMULATED_REFUSED";
const skip = !IS_EMULATED && "only the emulated driver refuses what it is told to";
const shape = { numKvHeads: 1, headDim: 64, dtype: "bf16" } as const;
const options = { ...shape, numQoHeads: 4, causal: true };

interface Lengths {
  readonly numDecodes: number;
  readonly decodeKv: number;
  readonly chunk: number;
  readonly chunkKv: number;
}

/** Lengths that a plan splits: an emulated GPU has 4 SMs. */
function largeOf({ kind }: Device): Lengths {
  if (kind === "cpu") return { numDecodes: 5, decodeKv: 300, chunk: 50, chunkKv: 100 };
  return IS_EMULATED
    ? { numDecodes: 20, decodeKv: 3100, chunk: 100, chunkKv: 250 }
    : { numDecodes: 64, decodeKv: 4096, chunk: 1024, chunkKv: 2048 };
}

function plan(attention: BatchAttention, { numDecodes, decodeKv, chunk, chunkKv }: Lengths): Plan {
  const kvLens = [...Array<number>(numDecodes).fill(decodeKv), ...chunk > 0 ? [chunkKv] : []];
  let page = 0;
  const lists = kvLens.map((kvLen) => Array.from({ length: Math.ceil(kvLen / PAGE_SIZE) }, () => page++));
  const qoIndptr = Array.from({ length: numDecodes + 1 }, (_, i) => i);
  if (chunk > 0) qoIndptr.push(numDecodes + chunk);
  return attention.plan({ qoIndptr, pages: pageTableFromLists(lists, kvLens, PAGE_SIZE) });
}

interface Setup extends Disposable {
  readonly cache: PagedKvCache;
  readonly large: Lengths;
  readonly capacity: PlanCapacity;
  /** [capacity.maxTokens, 4, 64] */
  readonly q: Tensor;
  attention(change?: Partial<BatchAttentionOptions>): BatchAttention;
  output(): Tensor;
}

function setUp(device: Device): Setup {
  const stack = new DisposableStack();
  const random = new Random(3);
  const large = largeOf(device);
  const { numDecodes, decodeKv, chunk, chunkKv } = large;
  const maxPages = numDecodes * Math.ceil(decodeKv / PAGE_SIZE) + Math.ceil(chunkKv / PAGE_SIZE);
  const maxTokens = numDecodes + chunk;
  const cache = stack.use(new PagedKvCache(device, { ...shape, numPages: maxPages, pageSize: PAGE_SIZE }));
  for (const tensor of [cache.layer(0).k, cache.layer(0).v]) {
    tensor.write(Float32Array.from({ length: tensor.numElements }, () => random.next() - 0.5));
  }
  const q = stack.use(device.fromArray(random.normals(maxTokens * 4 * 64), "bf16", [maxTokens, 4, 64]));
  return {
    large,
    capacity: { maxTokens, maxRequests: numDecodes + 1, maxPages },
    cache,
    q,
    attention: (change = {}) => stack.use(new BatchAttention(device, { ...options, ...change })),
    output: () => {
      const out = stack.use(device.tensor([maxTokens, 4, 64], "bf16"));
      out.fillBytes(0xff);
      return out;
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** Largest difference of elements. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}

onEveryBackend("mixed batches", (device) => {
  it("have SMs of their own for each kind of tile where there is a queue, and are as if each kind were alone", async () => {
    using setup = setUp(device());
    const { cache, large, q } = setup;
    const attention = setup.attention();
    const made = plan(attention, large);
    const { limits: { prefillCtas, numCtas }, numPrefillCtas, numShares, splitsSms } = made;
    assert.equal(splitsSms, prefillCtas > 0);
    if (splitsSms) {
      assert.ok(numPrefillCtas >= 1 && numPrefillCtas < prefillCtas && numShares < numCtas, `${numPrefillCtas}`);
    }
    const [first, again, alone] = [setup.output(), setup.output(), setup.output()];
    attention.run({ q, cache, out: first });
    attention.run({ q, cache, out: again });
    assert.deepEqual(await again.readRaw(), await first.readRaw());

    // The same in an order that no other request has a part in.
    const invariant = setup.attention({ batchInvariant: true });
    assert.equal(plan(invariant, large).splitsSms, false);
    invariant.run({ q, cache, out: alone });
    const worst = distance(await first.read(), await alone.read());
    assert.ok(worst < 0.01, `${worst}`);
  });

  it("are traced with the CTAs of their plan", async () => {
    using setup = setUp(device());
    const { cache, large, q } = setup;
    const attention = setup.attention();
    const made = plan(attention, large);
    using trace = new RunTrace(device());
    attention.run({ q, cache, out: setup.output(), trace });
    const { records, numDropped } = await trace.read();
    assert.equal(numDropped, 0);
    const firstQueued = made.numWorkItems - made.numQueuedPieces - made.numQueuedItems;
    for (const { workItem, cta } of records) {
      assert.ok(
        cta < (workItem < firstQueued ? made.numShares : made.numPrefillCtas),
        `item ${workItem} by CTA ${cta}`,
      );
    }
    assert.match(traceSvg(made, records), /measured/);
  });

  it("are the same bits in a graph, which then serves batches with and without a split", async () => {
    using setup = setUp(device());
    const { cache, large, q } = setup;
    const { capacity } = setup;
    const attention = setup.attention({ capacity });
    const eager = setup.attention({ capacity });
    const [out, expected] = [setup.output(), setup.output()];
    const { limits: { prefillCtas } } = plan(attention, large);
    using graph = capture(device().stream, () => void attention.run({ q, cache, out }));
    const splits = new Set<number>();
    for (const change of [{}, { chunk: 0 }, { numDecodes: 0 }, { decodeKv: 20 }, {}]) {
      const lengths = { ...large, ...change };
      const numTokens = lengths.numDecodes + lengths.chunk;
      splits.add(plan(attention, lengths).numPrefillCtas);
      plan(eager, lengths);
      out.fillBytes(0xff);
      graph.launch();
      using rows = q.slice(0, numTokens);
      using eagerRows = expected.slice(0, numTokens);
      eager.run({ q: rows, cache, out: eagerRows });
      using graphRows = out.slice(0, numTokens);
      assert.deepEqual(await graphRows.readRaw(), await eagerRows.readRaw(), JSON.stringify(lengths));
    }
    // One split, none for lack of a queue, and all SMs for the queue.
    assert.equal(splits.size, prefillCtas > 0 ? 3 : 1);
  });

  it("leave the stream as it was if the second of their kernels is refused, in a capture too", { skip }, async () => {
    using setup = setUp(device());
    const { cache, large, q } = setup;
    const attention = setup.attention();
    if (!plan(attention, large).splitsSms) return;
    const [before, captured, after] = [setup.output(), setup.output(), setup.output()];
    attention.run({ q, cache, out: before });
    const refuse = (): void => {
      process.env[REFUSED] = "decode_d64_bf16";
      try {
        assert.throws(() => attention.run({ q, cache, out: captured }), /launching a kernel/);
      } finally {
        delete process.env[REFUSED];
      }
    };
    refuse();
    attention.run({ q, cache, out: after });
    assert.deepEqual(await after.readRaw(), await before.readRaw());

    using graph = capture(device().stream, () => {
      // A branch that stays open would make the end of the capture fail.
      refuse();
      attention.run({ q, cache, out: captured });
    });
    graph.launch();
    assert.deepEqual(await captured.readRaw(), await before.readRaw());
  });

  it("run again outside of a graph after they were captured", async () => {
    using setup = setUp(device());
    const { cache, large, q } = setup;
    const attention = setup.attention();
    plan(attention, large);
    const [before, captured, after] = [setup.output(), setup.output(), setup.output()];
    attention.run({ q, cache, out: before });
    using graph = capture(device().stream, () => void attention.run({ q, cache, out: captured }));
    attention.run({ q, cache, out: after });
    graph.launch();
    assert.deepEqual(await after.readRaw(), await before.readRaw());
    assert.deepEqual(await captured.readRaw(), await before.readRaw());
  });
});

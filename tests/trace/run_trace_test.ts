/** Traces: each work item of a run has one record, wherever it ran, and results are what they are without a trace. */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  BatchAttention,
  type BatchAttentionOptions,
  capture,
  type Device,
  type Fp8DType,
  PagedKvCache,
  pageTableFromLists,
  type Plan,
  planToJson,
  RunTrace,
  type Tensor,
  toPerfetto,
  type TraceRecord,
  traceSvg,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { hasFp8 } from "../support/fp8.ts";
import { Random } from "../support/random.ts";

interface Case {
  name: string;
  qoLens: number[];
  kvLens: number[];
  pageSize?: number;
  kvDtype?: Fp8DType;
  options?: Partial<BatchAttentionOptions>;
}

const CASES: Case[] = [
  { name: "decode", qoLens: [1, 1, 3], kvLens: [700, 0, 90] },
  { name: "prefill", qoLens: [150, 20], kvLens: [150, 330] },
  { name: "both, pages of one token", qoLens: [1, 140, 1, 9], kvLens: [400, 140, 3, 60], pageSize: 1 },
  { name: "both, batch-invariant", qoLens: [1, 90], kvLens: [900, 900], options: { batchInvariant: true } },
  { name: "both, FP8", qoLens: [1, 150], kvLens: [500, 300], kvDtype: "e4m3" },
];

/** An attention with a plan, and what it runs on. */
interface Setup extends Disposable {
  attention: BatchAttention;
  plan: Plan;
  run: (trace?: RunTrace, out?: Tensor) => Tensor;
}

function setUp(device: Device, { qoLens, kvLens, pageSize = 16, kvDtype, options }: Case): Setup {
  const stack = new DisposableStack();
  const heads = { numKvHeads: 2, headDim: 64, dtype: "bf16" as const };
  const pagesOf = kvLens.map((kvLen) => Math.ceil(kvLen / pageSize));
  const numPages = pagesOf.reduce((a, b) => a + b, 0);
  const cache = stack.use(
    new PagedKvCache(device, { ...heads, numPages, pageSize, dtype: kvDtype ?? heads.dtype }),
  );
  const random = new Random(5);
  for (const tensor of [cache.layer(0).k, cache.layer(0).v]) {
    tensor.write(Float32Array.from({ length: tensor.numElements }, () => random.next() - 0.5));
  }
  const numTokens = qoLens.reduce((a, b) => a + b, 0);
  const q = stack.use(device.tensor([numTokens, 6, 64], "bf16"));
  q.write(Float32Array.from({ length: q.numElements }, () => random.next() - 0.5));
  const attention = stack.use(
    new BatchAttention(device, { ...heads, numQoHeads: 6, kvDtype, causal: true, ...options }),
  );
  let page = 0;
  const lists = pagesOf.map((count) => Array.from({ length: count }, () => page++));
  const qoIndptr = [0];
  for (const qoLen of qoLens) qoIndptr.push(qoIndptr.at(-1)! + qoLen);
  const plan = attention.plan({ qoIndptr, pages: pageTableFromLists(lists, kvLens, pageSize) });
  return {
    attention,
    plan,
    run: (trace, out) => attention.run({ q, cache, trace, out }),
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** Every record that a run of the plan must make: the item, its first KV head, how many. */
function expectedRecords(plan: Plan): string[] {
  const { workItems, numQueuedPieces, numQueuedItems, numKvHeads } = planToJson(plan);
  const firstWhole = workItems.length - numQueuedItems;
  return workItems.flatMap(({ kvHeadBegin, numKvHeads: heads }, i) =>
    i < firstWhole - numQueuedPieces
      ? [`${i} ${kvHeadBegin} ${heads}`]
      : i < firstWhole
      ? [`${i} ${kvHeadBegin} 1`]
      : Array.from({ length: numKvHeads }, (_, head) => `${i} ${head} 1`)
  ).sort();
}

const namesOf = (records: readonly TraceRecord[]): string[] =>
  records.map(({ workItem, kvHeadBegin, numKvHeads }) => `${workItem} ${kvHeadBegin} ${numKvHeads}`).sort();

onEveryBackend("a run trace", (device, backend) => {
  for (const one of CASES) {
    it(`has one record for each item: ${one.name}`, async (t) => {
      if (one.kvDtype !== undefined && !hasFp8(device(), one.kvDtype)) return t.skip("no FP8 here");
      using setup = setUp(device(), one);
      const { plan, run } = setup;
      const expected = expectedRecords(plan);
      assert.ok(expected.length > 2);
      using trace = new RunTrace(device(), { capacity: expected.length });
      using plain = run();
      using traced = run(trace);
      const { records, numDropped } = await trace.read();
      assert.deepEqual(namesOf(records), expected);
      assert.equal(numDropped, 0);
      assert.deepEqual(await traced.readRaw(), await plain.readRaw());

      assert.equal(records[0].beginNs, 0);
      const numCtas = Math.max(plan.limits.numCtas, plan.limits.prefillCtas);
      for (const [i, { beginNs, endNs, processor, processorKind, cta }] of records.entries()) {
        assert.ok(beginNs <= endNs && beginNs >= (records[i - 1]?.beginNs ?? 0), JSON.stringify(records[i]));
        assert.ok(Number.isSafeInteger(beginNs) && Number.isSafeInteger(endNs));
        assert.equal(processorKind, backend === "cpu" ? "worker" : "SM");
        assert.ok(processor >= 0 && processor < 100_000 && cta >= 0 && cta < numCtas, JSON.stringify(records[i]));
      }

      // A share's items are recorded by its CTA.
      const { ctaBegin } = planToJson(plan);
      for (const { workItem, cta } of records) {
        if (workItem < ctaBegin.at(-1)!) assert.ok(workItem >= ctaBegin[cta] && workItem < ctaBegin[cta + 1]);
      }
    });
  }

  it("counts what it has no room for", async () => {
    using setup = setUp(device(), CASES[2]);
    const expected = expectedRecords(setup.plan);
    using trace = new RunTrace(device(), { capacity: expected.length - 2 });
    using first = setup.run(trace);
    const reading = await trace.read();
    assert.equal(reading.numDropped, 2);
    const kept = namesOf(reading.records);
    assert.equal(new Set(kept).size, expected.length - 2);
    assert.ok(kept.every((name) => expected.includes(name)));
    setup.run(trace, first);
    assert.equal((await trace.read()).numDropped, 2 + expected.length);
  });

  it("adds up runs until it is reset, and replays of a graph", async () => {
    using stream = device().createStream();
    const capacity = { maxTokens: 200, maxRequests: 4, maxPages: 700 };
    using setup = setUp(device(), { ...CASES[1], options: { stream, capacity } });
    const expected = expectedRecords(setup.plan);
    using trace = new RunTrace(device(), { capacity: 1000, stream });
    assert.deepEqual(await trace.read(), { records: [], numDropped: 0 });
    await device().synchronize();
    using out = setup.run(trace);
    setup.run(trace, out);
    assert.deepEqual(namesOf((await trace.read()).records), [...expected, ...expected].sort());
    trace.reset();
    assert.deepEqual((await trace.read()).records, []);
    using graph = capture(stream, () => void setup.run(trace, out));
    assert.deepEqual((await trace.read()).records, []);
    graph.launch();
    graph.launch();
    assert.deepEqual(namesOf((await trace.read()).records), [...expected, ...expected].sort());
  });

  it("becomes a file for Perfetto", async () => {
    using setup = setUp(device(), CASES[2]);
    const { plan } = setup;
    using trace = new RunTrace(device());
    using _out = setup.run(trace);
    const { records } = await trace.read();
    const { traceEvents } = JSON.parse(toPerfetto(records, plan));
    const slices = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    const names = new Map<number, string>();
    for (const { name, tid, args } of traceEvents) if (name === "thread_name") names.set(tid, args.name);
    assert.equal(slices.length, records.length);
    const { workItems, tiles } = planToJson(plan);
    const ends = new Map<number, number>();
    slices.forEach(({ name, ts, dur, tid, args }: Record<string, never>, i: number) => {
      const record = records[i];
      const item = workItems[record.workItem];
      const { predictedCost, ...rest } = args as Record<string, unknown>;
      assert.deepEqual(rest, {
        workItem: record.workItem,
        kvHeadBegin: record.kvHeadBegin,
        numKvHeads: record.numKvHeads,
        cta: record.cta,
        tile: item.tile,
        tokenBegin: tiles[item.tile].tokenBegin,
        numTokens: tiles[item.tile].numTokens,
        kvBegin: item.kvBegin,
        kvEnd: item.kvEnd,
        isPartial: item.partialRow >= 0,
      });
      assert.ok(predictedCost as number > 0);
      assert.equal(name, `${tiles[item.tile].tileClass} tile ${item.tile}`);
      assert.equal(Math.round(ts * 1000), record.beginNs);
      assert.equal(Math.round(dur * 1000), record.endNs - record.beginNs);
      assert.match(names.get(tid)!, new RegExp(`^${record.processorKind} ${record.processor}( \\(\\d+\\))?$`));
      assert.ok(Math.round(ts * 1000) >= (ends.get(tid) ?? 0), "slices of a track overlap");
      ends.set(tid, record.endNs);
    });
    const bare = JSON.parse(toPerfetto(records)).traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    assert.equal(bare[0].name, `item ${records[0].workItem}`);
    assert.deepEqual(JSON.parse(toPerfetto([])).traceEvents.length, 1);
  });

  it("is drawn below the prediction", async () => {
    using setup = setUp(device(), CASES[2]);
    using trace = new RunTrace(device());
    using _out = setup.run(trace);
    const { records } = await trace.read();
    const svg = traceSvg(setup.plan, records);
    assert.match(
      svg,
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*: predicted<[^]*: measured, \d+ records<[^]*<\/svg>\n$/,
    );
    assert.match(svg, /height: predicted cost[^]*height: measured time, in us; most [\d.]+</);
    assert.equal([...svg.matchAll(/<title>/g)].length, 2 * records.length);
    assert.doesNotMatch(svg + traceSvg(setup.plan, []), /NaN|Infinity/);
  });
});

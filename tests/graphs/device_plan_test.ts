/** Graphs that plan on the device: results are those of the host's plans bit for bit, for batches that come and go and grow. */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  BatchAttention,
  CapacityError,
  capture,
  type Device,
  DeviceBatch,
  indptrOf,
  InvalidArgumentError,
  PagedKvCache,
  pageTableFromLists,
  planToJson,
  type Tensor,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { Random } from "../support/random.ts";
import { assertRefused, assertRejected } from "../support/refused.ts";

const shape = { numKvHeads: 2, headDim: 64, dtype: "bf16" } as const;
const options = { ...shape, numQoHeads: 8, causal: true };

/** [numTokens, heads, 64] */
function rows(device: Device, random: Random, numTokens: number, heads: number): Tensor {
  return device.fromArray(random.normals(numTokens * heads * 64), "bf16", [numTokens, heads, 64]);
}

/** Asserts that the first rows are as expected and that no other was touched since `fillBytes(0xff)`. */
function assertRows(actual: Uint16Array, expected: Uint16Array, title: string): void {
  assert.deepEqual(actual.subarray(0, expected.length), expected, title);
  assert.ok(
    actual.subarray(expected.length).every((bits) => bits === 0xffff),
    `${title}: a row behind the batch was written`,
  );
}

onEveryBackend("graphs that plan on the device", (device) => {
  it("serve batches that grow and shrink as the host does, bit for bit", async () => {
    using stack = new DisposableStack();
    const random = new Random(11);
    const { stream } = device();
    const pageSize = 16;
    const [maxRequests, maxPages, maxQoLen] = [6, 200, 2];
    const cache = stack.use(new PagedKvCache(device(), { ...shape, numPages: maxPages, pageSize }));
    const other = stack.use(new PagedKvCache(device(), { ...shape, numPages: maxPages, pageSize }));
    const batch = stack.use(new DeviceBatch(device(), { maxRequests, maxPages, pageSize, maxQoLen }));
    const { maxTokens, capacity } = batch;
    const attention = stack.use(new BatchAttention(device(), { ...options, capacity }));
    const host = stack.use(new BatchAttention(device(), { ...options, capacity }));
    const [q, k, v] = [8, 2, 2].map((heads) => stack.use(device().tensor([maxTokens, heads, 64], "bf16")));
    const out = stack.use(device().tensor([maxTokens, 8, 64], "bf16"));
    const lse = stack.use(device().tensor([maxTokens, 8], "f32"));
    const graph = stack.use(capture(stream, () => {
      attention.planOnDevice(batch);
      cache.write({ k, v, slots: batch.appendSlots });
      attention.run({ q, cache, out, lse });
    }));
    for (const [phase, numRequests] of [1, 6, 3, 0, 5].entries()) {
      const prompts = Array.from({ length: numRequests }, () => random.integer(0, random.pick([3, 300, 600])));
      const qoLens = prompts.map(() => random.integer(1, maxQoLen));
      const qoIndptr = indptrOf(qoLens);
      const numTokens = qoIndptr[numRequests];
      const numSteps = 3;
      // The same requests in both caches. The device's have pages for all steps from the start.
      const sequences = prompts.map(() => cache.createSequence());
      const others = prompts.map(() => other.createSequence());
      if (numRequests > 0) {
        const total = prompts.reduce((a, b) => a + b, 0);
        using promptK = rows(device(), random, total, 2);
        using promptV = rows(device(), random, total, 2);
        for (const [one, its] of [[cache, sequences], [other, others]] as const) {
          one.append(its, { k: promptK, v: promptV, indptr: indptrOf(prompts) });
        }
        cache.extend(sequences, qoLens.map((qoLen) => qoLen * numSteps));
      }
      batch.write({ pages: cache.pageTable(sequences), kvLens: prompts, qoLens });
      for (let step = 0; step < numSteps; step++) {
        for (const [tensor, heads] of [[q, 8], [k, 2], [v, 2]] as const) {
          tensor.write(random.normals(maxTokens * heads * 64));
        }
        out.fillBytes(0xff);
        lse.fillBytes(0xff);
        graph.launch();
        const title = `phase ${phase}, step ${step}`;
        using expected = device().tensor([numTokens, 8, 64], "bf16");
        using expectedLse = device().tensor([numTokens, 8], "f32");
        other.append(others, { k: k.slice(0, numTokens), v: v.slice(0, numTokens), indptr: qoIndptr });
        host.plan({ qoIndptr, pages: other.pageTable(others) });
        host.run({ q: q.slice(0, numTokens), cache: other, out: expected, lse: expectedLse });
        assertRows(await out.readRaw() as Uint16Array, await expected.readRaw() as Uint16Array, title);
        const bits = (await lse.readRaw() as Float32Array).slice(0, numTokens * 8);
        assert.deepEqual(bits, await expectedLse.readRaw(), title);
        await attention.checkDevicePlan();
        const made = planToJson(await attention.readDevicePlan());
        assert.deepEqual(made.workItems, planToJson(host.currentPlan!).workItems, title);
      }
      for (const sequence of [...sequences, ...others]) sequence.free();
    }
    // A step that the host knows to be one too many does not run.
    batch.write({ pages: pageTableFromLists([[3], []], [16, 0], pageSize), kvLens: [14, 0], qoLens: [1, 0] });
    graph.launch();
    attention.planOnDevice(batch);
    out.fillBytes(0xff);
    assertRefused(CapacityError, /the pages of a request are full/, () => graph.launch());
    assertRefused(CapacityError, /the pages of a request are full/, () => attention.planOnDevice(batch));
    await attention.checkDevicePlan();
    assert.equal((await batch.pages.kvLens!.read())[0], 16);
    // Of one that only the device knows to be, nothing is written.
    batch.write({ pages: pageTableFromLists([[3]], [16], pageSize), kvLens: [14] });
    batch.pages.kvLens!.slice(0, 1).write([16]);
    graph.launch();
    await assertRejected(
      InvalidArgumentError,
      /kvLens of request 0 is negative, or with its query tokens more than its pages hold/,
      () => attention.checkDevicePlan(),
    );
    assertRows(await out.readRaw() as Uint16Array, new Uint16Array(0), "refused");
    assert.deepEqual(Array.from(await batch.slots.read()), new Array(maxTokens).fill(-1));
    assert.equal((await batch.pages.kvLens!.read())[0], 16);
  });

  it("plan a step for two attentions, of which one has a window", async () => {
    using stack = new DisposableStack();
    const random = new Random(15);
    const capacity = { maxTokens: 2, maxRequests: 2, maxPages: 60 };
    const cache = stack.use(new PagedKvCache(device(), { ...shape, numPages: 60, pageSize: 16, numLayers: 2 }));
    for (const layer of [0, 1]) {
      cache.layer(layer).k.write(random.normals(60 * 16 * 128));
      cache.layer(layer).v.write(random.normals(60 * 16 * 128));
    }
    const attentions = [-1, 70].map((windowLeft) =>
      stack.use(new BatchAttention(device(), { ...options, windowLeft, capacity }))
    );
    const batch = stack.use(new DeviceBatch(device(), { maxRequests: 2, maxPages: 60, pageSize: 16 }));
    const q = stack.use(rows(device(), random, 2, 8));
    const outs = attentions.map(() => stack.use(device().tensor([2, 8, 64], "bf16")));
    const kvLens = [500, 300];
    const table = pageTableFromLists(
      [Array.from({ length: 32 }, (_, i) => i), Array.from({ length: 20 }, (_, i) => 40 + i)],
      [32 * 16, 20 * 16],
      16,
    );
    batch.write({ pages: table, kvLens });
    const graph = stack.use(capture(device().stream, () => {
      attentions.forEach((attention, layer) => {
        attention.planOnDevice(layer === 0 ? batch : batch.sameStep);
        attention.run({ q, cache, layer, out: outs[layer] });
      });
    }));
    for (let step = 1; step <= 3; step++) {
      graph.launch();
      for (const [layer, windowLeft] of [-1, 70].entries()) {
        using host = new BatchAttention(device(), { ...options, windowLeft });
        const lens = kvLens.map((length) => length + step);
        const lists = lens.map((length, r) =>
          Array.from(table.indices.subarray(table.indptr[r], table.indptr[r] + Math.ceil(length / 16)))
        );
        host.plan({ qoIndptr: [0, 1, 2], pages: pageTableFromLists(lists, lens, 16) });
        using expected = host.run({ q, cache, layer });
        assert.deepEqual(await outs[layer].readRaw(), await expected.readRaw(), `step ${step}, layer ${layer}`);
      }
    }
  });

  it("refuse to write to slots that an extend() put elsewhere", async () => {
    using cache = new PagedKvCache(device(), { ...shape, numPages: 8, pageSize: 16 });
    using one = device().tensor([1, 2, 64], "bf16");
    one.fillBytes(0);
    const chat = cache.createSequence();
    const slots = cache.extend([chat], [1]);
    using graph = capture(device().stream, () => cache.write({ k: one, v: one, slots }));
    graph.launch();
    cache.extend([chat], [1]);
    graph.launch();
    cache.extend([chat], [2]);
    assertRefused(InvalidArgumentError, /it writes 1 tokens to slots of an earlier extend/, () => graph.launch());
    await device().synchronize();
  });

  it("plan on the host and on the device in turn", async () => {
    using stack = new DisposableStack();
    const random = new Random(12);
    const capacity = { maxTokens: 40, maxRequests: 4, maxPages: 40 };
    const cache = stack.use(new PagedKvCache(device(), { ...shape, numPages: 40, pageSize: 16 }));
    const attention = stack.use(new BatchAttention(device(), { ...options, windowLeft: 200, capacity }));
    const kvLens = [130, 1, 0, 380];
    const sequences = kvLens.map(() => cache.createSequence());
    const total = kvLens.reduce((a, b) => a + b, 0);
    using k = rows(device(), random, total, 2);
    using v = rows(device(), random, total, 2);
    cache.append(sequences, { k, v, indptr: indptrOf(kvLens) });
    const table = cache.pageTable(sequences);
    const i32 = (array: Int32Array): Tensor => stack.use(device().fromArray(array, "i32", [array.length]));
    const pages = {
      indptr: i32(table.indptr),
      indices: i32(table.indices),
      lastPageLen: i32(table.lastPageLen),
      pageSize: 16,
    };
    using q = rows(device(), random, 16, 8);
    using out = device().tensor([16, 8, 64], "bf16");
    for (const qoLens of [[1, 1, 0, 1], [4, 0, 3, 2], [0, 0, 0, 0]]) {
      const qoIndptr = indptrOf(qoLens);
      const numTokens = qoIndptr[4];
      attention.plan({ qoIndptr, pages: table });
      using expected = attention.run({ q: q.slice(0, numTokens), cache });
      const host = planToJson(attention.currentPlan!);
      out.fillBytes(0xff);
      attention.planOnDevice({ qoIndptr: i32(qoIndptr), pages, maxQoLen: 4 });
      assert.equal(attention.currentPlan, undefined);
      attention.run({ q, cache, out });
      assertRows(await out.readRaw() as Uint16Array, await expected.readRaw() as Uint16Array, `qoLens ${qoLens}`);
      assert.deepEqual(planToJson(await attention.readDevicePlan()), host);
    }
    // A batch with prefill tiles again.
    using many = rows(device(), random, 40, 8);
    attention.plan({ qoIndptr: [0, 20, 20, 20, 40], pages: table });
    using last = attention.run({ q: many, cache });
    assert.ok((await last.read()).every(Number.isFinite));
    await assertRejected(InvalidArgumentError, /the host planned since/, () => attention.checkDevicePlan());
  });

  it("refuse to replay a run with a plan that it does not fit, before anything runs", async () => {
    using stack = new DisposableStack();
    const random = new Random(13);
    const { stream } = device();
    const capacity = { maxTokens: 4, maxRequests: 4, maxPages: 16 };
    const attention = stack.use(new BatchAttention(device(), { ...options, capacity }));
    const cache = stack.use(new PagedKvCache(device(), { ...shape, numPages: 16, pageSize: 16 }));
    for (const tensor of [cache.layer(0).k, cache.layer(0).v]) tensor.fillBytes(0);
    const table = (count: number, pageSize = 16) =>
      pageTableFromLists(Array.from({ length: count }, (_, r) => [r]), new Array(count).fill(9), pageSize);
    using q = rows(device(), random, 2, 8);
    using out = device().tensor([2, 8, 64], "bf16");
    attention.plan({ qoIndptr: [0, 1, 2], pages: table(2) });
    const graph = stack.use(capture(stream, () => void attention.run({ q, cache, out })));
    const untouched = async (
      kind: typeof CapacityError | typeof InvalidArgumentError,
      message: RegExp,
    ): Promise<void> => {
      out.fillBytes(0xff);
      assertRefused(kind, message, () => graph.launch());
      assertRows(await out.readRaw() as Uint16Array, new Uint16Array(0), "refused");
    };
    graph.launch();
    attention.plan({ qoIndptr: [0, 1, 2, 3], pages: table(3) });
    await untouched(CapacityError, /captured with 2 query tokens, and the present plan has 3/);
    attention.plan({ qoIndptr: [0, 1], pages: table(1, 32) });
    await untouched(InvalidArgumentError, /a plan of pages of 16 tokens, and the present one has 32/);
    attention.plan({
      qoIndptr: [0, 1],
      pages: table(1),
      customMask: { bits: new Uint8Array(2).fill(255), indptr: Int32Array.of(0, 2) },
    });
    await untouched(InvalidArgumentError, /no custom mask, and the present one has one/);
    const batch = stack.use(new DeviceBatch(device(), { maxRequests: 2, maxPages: 4, pageSize: 16 }));
    batch.write({ pages: table(2), kvLens: [3, 4] });
    attention.planOnDevice(batch);
    await untouched(InvalidArgumentError, /other page ids: the one was made on the host, the other on the device/);
    attention.plan({ qoIndptr: [0, 1], pages: table(1) });
    out.fillBytes(0xff);
    graph.launch();
    assert.deepEqual(Array.from((await out.read()).subarray(0, 512)), new Array(512).fill(0));
  });

  it("keep what they use until they end, whatever is disposed", async () => {
    const { stream } = device();
    await device().synchronize();
    const before = device().memoryUsage();
    const random = new Random(14);
    const capacity = { maxTokens: 2, maxRequests: 2, maxPages: 8 };
    const attention = new BatchAttention(device(), { ...options, capacity });
    const cache = new PagedKvCache(device(), { ...shape, numPages: 8, pageSize: 16 });
    const batch = new DeviceBatch(device(), { maxRequests: 2, maxPages: 8, pageSize: 16 });
    const one = device().fromArray(new Float32Array(2 * 2 * 64).fill(1), "bf16", [2, 2, 64]);
    const q = rows(device(), random, 2, 8);
    using out = device().tensor([2, 8, 64], "bf16");
    batch.write({ pages: pageTableFromLists([[5], [2]], [9, 2], 16), kvLens: [0, 0] });
    const graph = capture(stream, () => {
      attention.planOnDevice(batch);
      cache.write({ k: one, v: one, slots: batch.appendSlots });
      attention.run({ q, cache, out });
    });
    await device().synchronize();
    for (const used of [attention, cache, batch, one, q]) used.dispose();
    // Whatever is allocated now must not be what the graph writes.
    using filler = device().tensor([1 << 20], "u8");
    filler.fillBytes(1);
    for (let step = 0; step < 3; step++) {
      out.fillBytes(0xff);
      graph.launch();
      assert.deepEqual(Array.from(await out.read()), new Array(2 * 8 * 64).fill(1), `step ${step}`);
    }
    assert.ok((await filler.read()).every((byte) => byte === 1));
    assert.ok(device().memoryUsage().pendingBytes > 0);
    graph.dispose();
    out.dispose();
    filler.dispose();
    await device().synchronize();
    const after = device().memoryUsage();
    assert.deepEqual([after.allocatedBytes, after.pendingBytes], [before.allocatedBytes, 0]);
  });
});

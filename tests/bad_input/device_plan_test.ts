/** Planning on the device: what the host can see is refused before anything runs; what only the device sees gives a plan that does nothing. */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  BatchAttention,
  type BatchAttentionOptions,
  CapacityError,
  type Device,
  DeviceBatch,
  DisposedError,
  InvalidArgumentError,
  NotSupportedError,
  PagedKvCache,
  pageTableFromLists,
  type Tensor,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertRefused, assertRejected } from "../support/refused.ts";

const shape = { numKvHeads: 2, headDim: 64, dtype: "bf16" } as const;
const capacity = { maxTokens: 8, maxRequests: 4, maxPages: 8 };
const options: BatchAttentionOptions = { ...shape, numQoHeads: 8, causal: true, capacity };

/** Arrays of a good batch of three requests and one without tokens; pages of 16. */
const good = { qo: [0, 1, 3, 4, 4], pages: [0, 2, 3, 6, 6], last: [5, 16, 1, 0], kvLens: [21, 16, 33, 0] };

function tensors(device: Device, stack: DisposableStack, { qo, pages, last }: typeof good) {
  const i32 = (values: ArrayLike<number>): Tensor => stack.use(device.fromArray(values, "i32", [values.length]));
  return {
    qoIndptr: i32(qo),
    pages: { indptr: i32(pages), indices: i32([0, 1, 2, 3, 4, 5]), lastPageLen: i32(last), pageSize: 16 },
    maxQoLen: 2,
    slots: i32(new Int32Array(8)),
    positions: i32(new Int32Array(8)),
  };
}

onEveryBackend("planning on the device", (device) => {
  it("refuses what contradicts itself, by a status that names the request; the plan does nothing", async () => {
    using stack = new DisposableStack();
    const attention = stack.use(new BatchAttention(device(), options));
    const cache = stack.use(new PagedKvCache(device(), { ...shape, numPages: 8, pageSize: 16 }));
    for (const tensor of [cache.layer(0).k, cache.layer(0).v]) tensor.fillBytes(0);
    const q = stack.use(device().tensor([8, 8, 64], "bf16"));
    const out = stack.use(device().tensor([8, 8, 64], "bf16"));
    q.fillBytes(0);
    const min = -(2 ** 31);
    const max = 2 ** 31 - 1;
    const cases: [
      change: Partial<typeof good>,
      kind: typeof InvalidArgumentError | typeof CapacityError,
      message: RegExp,
    ][] = [
      [{ qo: [1, 1, 3, 4, 4] }, InvalidArgumentError, /qoIndptr falls at request 0/],
      [{ qo: [0, 1, 0, 4, 4] }, InvalidArgumentError, /qoIndptr falls at request 1/],
      [{ qo: [0, 1, 3, 4, min] }, InvalidArgumentError, /qoIndptr falls at request 3/],
      [{ qo: [0, 1, 3, min, max] }, InvalidArgumentError, /qoIndptr falls at request 2/],
      [{ qo: [0, 3, 4, 5, 5] }, CapacityError, /request 0 has more query tokens than maxQoLen, 2/],
      [{ qo: [0, 1, 3, max, max] }, CapacityError, /request 2 has more query tokens/],
      [{ pages: [1, 2, 3, 6, 6] }, InvalidArgumentError, /pages.indptr falls at request 0/],
      [{ pages: [0, 2, 1, 6, 6] }, InvalidArgumentError, /pages.indptr falls at request 1/],
      [{ pages: [0, 2, 3, 7, 7] }, CapacityError, /more than the 6 page ids there are, up to the end of request 2/],
      [{ pages: [0, 2, 3, max, max] }, CapacityError, /more than the 6 page ids/],
      [{ last: [0, 16, 1, 0] }, InvalidArgumentError, /lastPageLen of request 0 is not 1 to 16/],
      [{ last: [5, 17, 1, 0] }, InvalidArgumentError, /lastPageLen of request 1/],
      [{ last: [5, 16, min, 0] }, InvalidArgumentError, /lastPageLen of request 2/],
      [{ last: [5, 16, 1, 1] }, InvalidArgumentError, /lastPageLen of request 3/],
      // The first request that is wrong is named.
      [{ qo: [0, 1, 3, 2, 9], last: [5, 99, 1, 0] }, InvalidArgumentError, /lastPageLen of request 1/],
    ];
    for (const [change, kind, message] of cases) {
      using arrays = new DisposableStack();
      const batch = tensors(device(), arrays, { ...good, ...change });
      attention.planOnDevice(batch);
      out.fillBytes(0xff);
      attention.run({ q, cache, out });
      assert.ok((await out.readRaw() as Uint16Array).every((bits) => bits === 0xffff), `${message}: out was written`);
      assert.ok((await batch.slots.read()).every((slot) => slot === -1), `${message}: a slot was given`);
      await assertRejected(kind, message, () => attention.checkDevicePlan());
      await assertRejected(kind, message, () => attention.readDevicePlan());
    }
    const batch = tensors(device(), stack, good);
    attention.planOnDevice(batch);
    attention.run({ q, cache, out });
    await attention.checkDevicePlan();
    const written = await out.readRaw() as Uint16Array;
    assert.ok(written.subarray(0, 4 * 512).every((bits) => bits === 0));
    assert.ok(written.subarray(4 * 512).every((bits) => bits === 0xffff));
  });

  it("refuses lengths that do not fit the pages, and leaves them as they were", async () => {
    using stack = new DisposableStack();
    const attention = stack.use(new BatchAttention(device(), options));
    const { pages: { indptr, indices }, ...batch } = tensors(device(), stack, good);
    for (
      const [lengths, request] of [[[21, 14, 33, -1], 3], [[21, 15, 33, 0], 1], [[32, 14, 47, 0], 0], [[
        2 ** 31 - 1,
        0,
        0,
        0,
      ], 0]] as const
    ) {
      using kvLens = device().fromArray(lengths, "i32", [4]);
      attention.planOnDevice({ ...batch, pages: { indptr, indices, kvLens, pageSize: 16 }, appends: true });
      await assertRejected(
        InvalidArgumentError,
        new RegExp(`kvLens of request ${request} is`),
        () => attention.checkDevicePlan(),
      );
      assert.deepEqual(Array.from(await kvLens.read()), lengths);
    }
    using kvLens = device().fromArray([31, 14, 47, 0], "i32", [4]);
    attention.planOnDevice({ ...batch, pages: { indptr, indices, kvLens, pageSize: 16 }, appends: true });
    await attention.checkDevicePlan();
    assert.deepEqual(Array.from(await kvLens.read()), [32, 16, 48, 0]);
  });

  it("refuses page ids out of range when a slot would need them, and never reads behind the list", async () => {
    using stack = new DisposableStack();
    const attention = stack.use(new BatchAttention(device(), options));
    const batch = tensors(device(), stack, good);
    batch.pages.indices.write([0, -5, 2, 3, 4, 2 ** 31 - 1]);
    attention.planOnDevice(batch);
    await attention.checkDevicePlan();
    assert.deepEqual(Array.from(await batch.slots.read()), [-1, 2 * 16 + 14, 2 * 16 + 15, -1, -1, -1, -1, -1]);
    assert.deepEqual(Array.from(await batch.positions.read()), [20, 14, 15, 32, 0, 0, 0, 0]);
  });

  it("refuses what the host can see, before anything runs", async () => {
    using stack = new DisposableStack();
    const of = (more: Partial<BatchAttentionOptions>): BatchAttention =>
      stack.use(new BatchAttention(device(), { ...options, ...more }));
    const batch = tensors(device(), stack, good);
    const i32 = (count: number): Tensor => stack.use(device().tensor([count], "i32"));
    const attention = of({});
    const refused = (
      kind: Parameters<typeof assertRefused>[0],
      message: RegExp,
      change: object,
      by = attention,
    ): void => assertRefused(kind, message, () => by.planOnDevice({ ...batch, ...change }));
    refused(InvalidArgumentError, /no capacity/, {}, of({ capacity: undefined }));
    refused(NotSupportedError, /batchInvariant/, {}, of({ batchInvariant: true }));
    refused(NotSupportedError, /maxQoLen is 2, and 16 query heads.*1 tokens fit/s, {}, of({ numQoHeads: 32 }));
    refused(NotSupportedError, /not even one token fits/, { maxQoLen: 1 }, of({ numQoHeads: 64 }));
    refused(NotSupportedError, /maxQoLen is 5/, { maxQoLen: 5 });
    refused(InvalidArgumentError, /maxQoLen is 0/, { maxQoLen: 0 });
    refused(CapacityError, /maxRequests is 3/, {}, of({ capacity: { ...capacity, maxRequests: 3 } }));
    refused(CapacityError, /8 query tokens.*maxTokens is 7/, {}, of({ capacity: { ...capacity, maxTokens: 7 } }));
    refused(CapacityError, /6 page ids.*maxPages is 5/, {}, of({ capacity: { ...capacity, maxPages: 5 } }));
    refused(CapacityError, /capacity.maxQoLen is 1/, {}, of({ capacity: { ...capacity, maxQoLen: 1 } }));
    refused(InvalidArgumentError, /pages.indptr is i32 \[5\]. Expected contiguous i32 \[3\]/, { qoIndptr: i32(3) });
    refused(InvalidArgumentError, /qoIndptr is empty/, { qoIndptr: i32(1) });
    refused(InvalidArgumentError, /slots is i32 \[7\]. Expected contiguous i32 \[8\]/, { slots: i32(7) });
    refused(InvalidArgumentError, /positions is i32 \[9\]/, { positions: i32(9) });
    refused(InvalidArgumentError, /both lastPageLen and kvLens/, { pages: { ...batch.pages, kvLens: i32(4) } });
    refused(InvalidArgumentError, /or neither/, { pages: { ...batch.pages, lastPageLen: undefined } });
    refused(InvalidArgumentError, /lastPageLen is i32 \[5\]/, { pages: { ...batch.pages, lastPageLen: i32(5) } });
    refused(InvalidArgumentError, /pageSize is 0/, { pages: { ...batch.pages, pageSize: 0 } });
    refused(InvalidArgumentError, /appends without pages.kvLens/, { appends: true });
    using bytes = device().tensor([6], "u8");
    refused(InvalidArgumentError, /pages.indices is u8/, { pages: { ...batch.pages, indices: bytes } });
    await assertRejected(InvalidArgumentError, /the device made none/, () => attention.checkDevicePlan());
    attention.dispose();
    refused(DisposedError, /was disposed/, {});
  });

  it("refuses batches beyond what was declared when they are written", async () => {
    using batch = new DeviceBatch(device(), { maxRequests: 2, maxPages: 3, pageSize: 16, maxQoLen: 2 });
    const table = (...lists: number[][]) => pageTableFromLists(lists, lists.map((list) => list.length * 16), 16);
    batch.write({ pages: table([4], [5]), kvLens: [3, 4], qoLens: [1, 2] });
    const before = Array.from(await batch.pages.indices.read());
    const refused = (
      kind: Parameters<typeof assertRefused>[0],
      message: RegExp,
      contents: Parameters<DeviceBatch["write"]>[0],
    ) => assertRefused(kind, message, () => batch.write(contents));
    refused(CapacityError, /3 requests, but maxRequests is 2/, { pages: table([0], [1], [2]), kvLens: [1, 1, 1] });
    refused(CapacityError, /4 page ids, but maxPages is 3/, { pages: table([0, 1], [2, 3]), kvLens: [1, 1] });
    refused(CapacityError, /3 query tokens in request 1, but maxQoLen is 2/, {
      pages: table([0], [1]),
      kvLens: [1, 1],
      qoLens: [1, 3],
    });
    refused(CapacityError, /request 0 has 15 KV tokens and gets 2, and its 1 pages hold 16/, {
      pages: table([0]),
      kvLens: [15],
      qoLens: [2],
    });
    refused(InvalidArgumentError, /2 kvLens, 2 entries/, { pages: table([0]), kvLens: [1, 1] });
    refused(InvalidArgumentError, /kvLens of request 0 is -1/, { pages: table([0]), kvLens: [-1] });
    refused(InvalidArgumentError, /qoLens of request 0 is 0.5/, { pages: table([0]), kvLens: [1], qoLens: [0.5] });
    refused(InvalidArgumentError, /falls from 2 to 1/, {
      pages: { indptr: Int32Array.of(0, 2, 1), indices: Int32Array.of(0, 1) },
      kvLens: [1, 1],
    });
    refused(InvalidArgumentError, /for 1 page ids/, {
      pages: { indptr: Int32Array.of(0, 2), indices: Int32Array.of(0) },
      kvLens: [1],
    });
    refused(InvalidArgumentError, /page id 0 is -1/, {
      pages: { indptr: Int32Array.of(0, 1), indices: Int32Array.of(-1) },
      kvLens: [1],
    });
    assert.deepEqual(Array.from(await batch.pages.indices.read()), before);
    assert.deepEqual(Array.from(await batch.qoIndptr.read()), [0, 1, 3]);
    assertRefused(
      InvalidArgumentError,
      /maxPages is 0/,
      () => new DeviceBatch(device(), { maxRequests: 1, maxPages: 0, pageSize: 1 }),
    );
    batch.dispose();
    refused(DisposedError, /was disposed/, { pages: table([0]), kvLens: [1] });
    assert.throws(() => batch.slots.address, DisposedError);
  });

  it("writes keys and values only by slots of the right shape", () => {
    using cache = new PagedKvCache(device(), { ...shape, numPages: 8, pageSize: 16 });
    using k = device().tensor([2, 2, 64], "bf16");
    using slots = device().tensor([2], "i32");
    using positions = device().tensor([3], "i32");
    using floats = device().tensor([2], "f32");
    assertRefused(
      InvalidArgumentError,
      /positions is i32 \[3\]/,
      () => cache.write({ k, v: k, slots: { slots, positions } }),
    );
    assertRefused(
      InvalidArgumentError,
      /slots is f32/,
      () => cache.write({ k, v: k, slots: { slots: floats, positions: slots } }),
    );
    assertRefused(
      InvalidArgumentError,
      /shape is \[2,2,64\]/,
      () => cache.write({ k, v: k, slots: { slots: positions, positions } }),
    );
  });
});

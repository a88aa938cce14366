/** Attention refuses batches and tensors that contradict each other, names the values, and runs the next good batch. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import {
  BatchAttention,
  type BatchAttentionOptions,
  CapacityError,
  type Device,
  DisposedError,
  InvalidArgumentError,
  NotSupportedError,
  openDevice,
  packCustomMask,
  PagedKvCache,
  type PageTable,
  pageTable,
  type PlanOptions,
  type RunOptions,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { hasFp8 } from "../support/fp8.ts";
import { assertRefused, assertRejected } from "../support/refused.ts";

const heads = { numQoHeads: 4, numKvHeads: 2, headDim: 64, dtype: "bf16" as const };
const cacheOptions = { numPages: 6, pageSize: 8, numKvHeads: 2, headDim: 64, dtype: "bf16" as const };

onEveryBackend("bad input to attention", (device, backend) => {
  let other: Device;
  before(async () => {
    other = await openDevice({ backend });
  });
  after(() => other.dispose());

  it("options", () => {
    const bad: [Partial<BatchAttentionOptions>, typeof InvalidArgumentError | typeof NotSupportedError, RegExp][] = [
      [{ numQoHeads: 0 }, InvalidArgumentError, /numQoHeads is 0/],
      [{ numKvHeads: 1.5 }, InvalidArgumentError, /numKvHeads is 1.5/],
      [{ numKvHeads: 3 }, InvalidArgumentError, /numQoHeads is 4 and numKvHeads 3/],
      [{ numQoHeads: 130, numKvHeads: 2 }, NotSupportedError, /65 query heads share a KV head. Supported: 1 to 64/],
      [{ headDim: 80 }, NotSupportedError, /headDim is 80.*Supported: 64, 96, 128, 192, 256/],
      [{ headDim: 64, headDimVo: 128 }, NotSupportedError, /headDimVo 128/],
      [{ headDim: NaN }, NotSupportedError, /headDim is NaN/],
      [{ dtype: "i32" }, NotSupportedError, /dtype is i32.*Supported: bf16, f16/],
      [{ dtype: "e4m3" }, NotSupportedError, /dtype is e4m3.*Supported: bf16, f16/],
      [{ kvDtype: "f16" }, NotSupportedError, /kvDtype is f16 and dtype bf16. Supported: bf16, e4m3, e5m2/],
      [{ kvDtype: "u8" }, NotSupportedError, /kvDtype is u8/],
      [
        { qDtype: "e4m3" },
        NotSupportedError,
        /qDtype is e4m3, dtype bf16 and kvDtype bf16. Supported: bf16, and e4m3 beside/,
      ],
      [{ qDtype: "e5m2", kvDtype: "e5m2" }, NotSupportedError, /qDtype is e5m2/],
      [{ qDtype: "e4m3", kvDtype: "e5m2" }, NotSupportedError, /qDtype is e4m3, dtype bf16 and kvDtype e5m2/],
      [{ qDtype: "f16", kvDtype: "e4m3" }, NotSupportedError, /qDtype is f16/],
      [{ smScale: NaN }, InvalidArgumentError, /smScale is NaN. Pass a finite number > 0/],
      [{ smScale: Infinity }, InvalidArgumentError, /smScale is Infinity/],
      [{ smScale: 0 }, InvalidArgumentError, /smScale is 0/],
      [{ smScale: -0.1 }, InvalidArgumentError, /smScale is -0.1/],
      [{ smScale: 1e-60 }, InvalidArgumentError, /smScale is 1e-60/],
      [{ logitsSoftCap: -1 }, InvalidArgumentError, /logitsSoftCap is -1/],
      [{ logitsSoftCap: NaN }, InvalidArgumentError, /logitsSoftCap is NaN/],
      [{ logitsSoftCap: 1e-60 }, InvalidArgumentError, /logitsSoftCap is 1e-60/],
      [{ logitsSoftCap: 1e300 }, InvalidArgumentError, /logitsSoftCap is 1e\+300/],
      [{ causal: "no" as unknown as boolean }, InvalidArgumentError, /causal is no. Pass true or false/],
      [{ windowLeft: -2 }, InvalidArgumentError, /windowLeft is -2/],
      [{ windowLeft: 0.5 }, InvalidArgumentError, /windowLeft is 0.5/],
      [{ windowRight: NaN }, InvalidArgumentError, /windowRight is NaN/],
      [{ capacity: { maxTokens: 0, maxRequests: 1, maxPages: 1 } }, InvalidArgumentError, /maxTokens is 0/],
      [
        { capacity: { maxTokens: 1, maxRequests: 1, maxPages: 1, maxQoLen: 0.5 } },
        InvalidArgumentError,
        /maxQoLen is 0.5/,
      ],
      [
        { capacity: { maxTokens: 1, maxRequests: 1, maxPages: 1, maxKvLen: 9 } },
        InvalidArgumentError,
        /maxKvLen is 9, without batchInvariant/,
      ],
      [
        { batchInvariant: true, capacity: { maxTokens: 1, maxRequests: 1, maxPages: 1, maxLevels: 2 } },
        NotSupportedError,
        /maxLevels is 2, with batchInvariant/,
      ],
      [{ stream: other.stream }, InvalidArgumentError, /stream belongs to another device/],
    ];
    const before = device().memoryUsage().allocatedBytes;
    for (const [change, kind, message] of bad) {
      assertRefused(kind, message, () => new BatchAttention(device(), { ...heads, ...change }));
    }
    assert.equal(device().memoryUsage().allocatedBytes, before);
    if (backend === "cuda") {
      assertRefused(
        NotSupportedError,
        /dtype is f32 on cuda/,
        () => new BatchAttention(device(), { ...heads, dtype: "f32" }),
      );
    }
  });

  it("batches that contradict themselves; the last plan stays", async () => {
    using cache = new PagedKvCache(device(), cacheOptions);
    cache.layer(0).k.fillBytes(0);
    cache.layer(0).v.fillBytes(0);
    using attention = new BatchAttention(device(), heads);
    using q = device().tensor([3, 4, 64], "bf16");
    q.fillBytes(0);
    const table = { indptr: [0, 2, 3], indices: [5, 0, 3], lastPageLen: [1, 8], pageSize: 8 };
    const pages = pageTable(table);
    const raw = (change: Partial<typeof table>): PageTable => {
      const merged = { ...table, ...change };
      return {
        indptr: Int32Array.from(merged.indptr),
        indices: Int32Array.from(merged.indices),
        lastPageLen: Int32Array.from(merged.lastPageLen),
        pageSize: merged.pageSize,
      };
    };
    attention.plan({ qoIndptr: [0, 1, 3], pages });
    const good = { qoIndptr: [0, 1, 3], pages };
    const bad: [PlanOptions, RegExp][] = [
      [{ qoIndptr: [], pages }, /qoIndptr/],
      [{ ...good, qoIndptr: [1, 2, 3] }, /starts with 1/],
      [{ ...good, qoIndptr: [0, 3, 1] }, /falls from 3 to 1/],
      [{ ...good, qoIndptr: [0, 1.5, 3] }, /qoIndptr\[1\] is 1.5/],
      [{ ...good, qoIndptr: [0, 3] }, /qoIndptr is of 1 requests, the page table has 2 rows/],
      [{ qoIndptr: [0, 1, 3] }, /pass either pages or levels; neither is/],
      [{ ...good, levels: [] }, /pass either pages or levels; both are given/],
      [{ qoIndptr: [0, 1, 3], levels: [] }, /there are no levels/],
      [{ ...good, pages: raw({ indptr: [0, 3, 2] }) }, /falls from 3 to 2/],
      [{ ...good, pages: raw({ indptr: [0, 2, 4] }) }, /there are 3 page ids/],
      [{ ...good, pages: raw({ indptr: [1, 2, 3] }) }, /starts with 1/],
      [{ ...good, pages: raw({ indptr: [] }) }, /indptr/],
      [{ ...good, pages: raw({ lastPageLen: [9, 8] }) }, /lastPageLen of row 0 is 9/],
      [{ ...good, pages: raw({ lastPageLen: [0, 8] }) }, /lastPageLen of row 0 is 0/],
      [{ ...good, pages: raw({ indices: [5, -1, 3] }) }, /lists page -1/],
      [{ ...good, pages: raw({ pageSize: 0 }) }, /pageSize is 0/],
      [{ ...good, pages: raw({ pageSize: 2000 }) }, /pageSize is 2000/],
      [
        { ...good, customMask: { bits: new Uint8Array(1), indptr: Int32Array.of(0, 1) } },
        /custom mask's indptr has 2 entries/,
      ],
      [
        { ...good, customMask: { bits: new Uint8Array(1), indptr: Int32Array.of(0, 1, 1) } },
        /custom mask of request 0 is 1 bytes/,
      ],
      [{ ...good, customMask: { bits: new Uint8Array(1), indptr: Int32Array.of(0, 0, 9) } }, /custom mask's indptr/],
    ];
    for (const [options, message] of bad) assertRefused(InvalidArgumentError, message, () => attention.plan(options));
    using out = attention.run({ q, cache });
    assert.ok((await out.read()).every((value) => value === 0), "the last good plan no longer runs");
  });

  it("page tables that are plain arrays where typed ones are declared", () => {
    using attention = new BatchAttention(device(), heads);
    for (const indices of [[1, 2], Float64Array.of(1, 2), new Uint16Array(2)]) {
      const pages = { indptr: Int32Array.of(0, 2), indices, lastPageLen: Int32Array.of(8), pageSize: 8 };
      assertRefused(
        InvalidArgumentError,
        /indices is no Int32Array/,
        () => attention.plan({ qoIndptr: [0, 1], pages: pages as unknown as PageTable }),
      );
    }
  });

  it("batches beyond the capacity", () => {
    using attention = new BatchAttention(device(), {
      ...heads,
      capacity: { maxTokens: 2, maxRequests: 2, maxPages: 2 },
    });
    const plan = (qoIndptr: number[], lens: number[]) => () =>
      attention.plan({
        qoIndptr,
        pages: pageTable({
          indptr: [0, ...lens.map((_, i) => lens.slice(0, i + 1).reduce((a, b) => a + b, 0))],
          indices: Array(lens.reduce((a, b) => a + b, 0)).fill(0),
          lastPageLen: lens.map((n) => n === 0 ? 0 : 1),
          pageSize: 8,
        }),
      });
    assertRefused(CapacityError, /3 query tokens, but maxTokens is 2/, plan([0, 3], [1]));
    assertRefused(CapacityError, /3 requests, but maxRequests is 2/, plan([0, 1, 1, 1], [1, 0, 0]));
    assertRefused(CapacityError, /3 page ids, but maxPages is 2/, plan([0, 1], [3]));
    plan([0, 2], [2])();
  });

  it("tensors and caches that do not fit the plan", async () => {
    using cache = new PagedKvCache(device(), cacheOptions);
    cache.layer(0).k.fillBytes(0);
    cache.layer(0).v.fillBytes(0);
    using attention = new BatchAttention(device(), heads);
    using q = device().tensor([3, 4, 64], "bf16");
    q.fillBytes(0);
    assertRefused(InvalidArgumentError, /nothing is planned. Call plan\(\) first/, () => attention.run({ q, cache }));
    const pages = pageTable({ indptr: [0, 2, 3], indices: [5, 0, 3], lastPageLen: [1, 8], pageSize: 8 });
    attention.plan({ qoIndptr: [0, 1, 3], pages });
    using q2 = device().tensor([2, 4, 64], "bf16");
    using half = device().tensor([3, 4, 64], "f16");
    using theirs = other.tensor([3, 4, 64], "bf16");
    using wide = device().tensor([3 * 4 * 128], "bf16");
    using lse = device().tensor([3, 4], "f32");
    using lse2 = device().tensor([12], "f32");
    using few = new PagedKvCache(device(), { ...cacheOptions, numPages: 5 });
    using otherPages = new PagedKvCache(device(), { ...cacheOptions, pageSize: 16 });
    using otherHeads = new PagedKvCache(device(), { ...cacheOptions, numKvHeads: 4 });
    using otherDtype = new PagedKvCache(device(), { ...cacheOptions, dtype: "f16" });
    using elsewhere = new PagedKvCache(other, cacheOptions);
    using fp8 = new PagedKvCache(device(), { ...cacheOptions, dtype: "e4m3" });
    const k = cache.layer(0).k;
    const good: RunOptions = { q, cache };
    const bad: [RunOptions, RegExp][] = [
      [{ ...good, q: q2 }, /q has shape \[2,4,64\]. The plan is for .*\[3,4,64\]/],
      [{ ...good, q: half }, /q has dtype f16, the attention bf16/],
      [{ ...good, q: theirs }, /q lies on/],
      [{ ...good, qScale: 2 }, /qScale is 2, and q is bf16: only FP8 is scaled/],
      [{ ...good, qScale: lse2 }, /qScale is a tensor, and q is bf16/],
      [{ ...good, q: wide.view([3, 4, 64], [512, 128, 2]) }, /q has innermost stride 2/],
      [{ ...good, out: q2 }, /out has shape \[2,4,64\]/],
      [{ ...good, out: half }, /out has dtype f16/],
      [{ ...good, out: wide.view([3, 4, 64], [64, 64, 1]) }, /out would overlap itself/],
      [{ ...good, lse: lse2 }, /lse is f32 \[12\]. Expected contiguous f32 \[3,4\]/],
      [{ ...good, lse: q }, /lse is bf16/],
      [{ ...good, layer: 1 }, /layer is 1. Pass an integer from 0 to 0/],
      [{ ...good, layer: -1 }, /layer is -1/],
      [{ ...good, layer: NaN }, /layer is NaN/],
      [{ ...good, cache: few }, /the plan uses page 5, and the cache has 5 pages/],
      [{ ...good, cache: otherPages }, /pages of 8 tokens, the cache's have 16/],
      [{ ...good, cache: otherHeads }, /the cache has 4 KV heads/],
      [{ ...good, cache: otherDtype }, /in f16/],
      [{ ...good, cache: elsewhere }, /the cache lies on/],
      [{ ...good, cache: { k, v: q } }, /v is bf16 \[3,4,64\]/],
      [{ ...good, cache: { k, v: k, kvLayout: "HND" } }, /Expected bf16 \[6,2,8,64\] \(HND\)/],
      [{ ...good, cache: { k: k.slice(0, 4), v: k } }, /v is bf16 \[6,8,2,64\]/],
      [{ ...good, cache: { k, v: k, kvLayout: "DHN" as "NHD" } }, /kvLayout is "DHN"/],
      [{ ...good, cache: { k, v: k, kScale: 2 } }, /kScale is 2, and K and V are bf16: only FP8 is scaled/],
      [{ ...good, cache: { k, v: k, vScale: lse2 } }, /vScale is a tensor, and K and V are bf16/],
      [{ ...good, cache: fp8 }, /in e4m3, the attention 2 of 64 and 64 in bf16/],
    ];
    const before = device().memoryUsage().allocatedBytes;
    for (const [options, message] of bad) assertRefused(InvalidArgumentError, message, () => attention.run(options));
    assert.equal(device().memoryUsage().allocatedBytes, before, "a refused run left its output");
    using out = attention.run({ q, cache, lse });
    assert.ok((await out.read()).every((value) => value === 0));
    // Page 5 has one key in use, page 3 eight: a plan of another batch would see other numbers of them.
    assert.ok(Math.abs((await lse.read())[0] - Math.log(9)) < 1e-5);
  });

  it("scales of FP8 that are not positive finite numbers, or of other shapes", async () => {
    if (!hasFp8(device())) return;
    using cache = new PagedKvCache(device(), { ...cacheOptions, dtype: "e5m2" });
    cache.layer(0).k.fillBytes(0);
    cache.layer(0).v.fillBytes(0);
    using attention = new BatchAttention(device(), { ...heads, kvDtype: "e5m2" });
    using q = device().tensor([1, 4, 64], "bf16");
    q.fillBytes(0);
    const pages = pageTable({ indptr: [0, 1], indices: [0], lastPageLen: [1], pageSize: 8 });
    attention.plan({ qoIndptr: [0, 1], pages });
    const { k, v } = cache.layer(0);
    using three = device().fromArray([1, 1, 1], "f32");
    using half = device().tensor([2], "f16");
    using theirs = other.fromArray([1, 1], "f32");
    for (const kScale of [0, -1, NaN, Infinity, 1e-60, 1e60]) {
      assertRefused(
        InvalidArgumentError,
        new RegExp(`kScale is ${kScale}. Pass a positive finite number`.replace("+", "\\+")),
        () => attention.run({ q, cache: { k, v, kScale } }),
      );
    }
    for (const vScale of [three, half, theirs, three.slice(0, 2).reshape([2, 1])]) {
      assertRefused(
        InvalidArgumentError,
        new RegExp(`vScale is ${vScale.dtype} \\[${vScale.shape}\\]. Pass a number, or contiguous f32 \\[2\\]`),
        () => attention.run({ q, cache: { k, v, vScale } }),
      );
    }
    assertRefused(
      InvalidArgumentError,
      /in bf16, the attention 2 of 64 and 64 in e5m2/,
      () => {
        using wide = new PagedKvCache(device(), cacheOptions);
        attention.run({ q, cache: wide });
      },
    );
    if (device().kind !== "cpu") return; // there, bad scales in memory give NaN
    // What a tensor holds shows when it is used.
    for (const bad of [0, -2, NaN, Infinity]) {
      using kScale = device().fromArray([1, bad], "f32");
      attention.run({ q, cache: { k, v, kScale } }).dispose();
      await assertRejected(InvalidArgumentError, /the k scale of KV head 1 is 1 times/, () => device().synchronize());
    }
    using extreme = new BatchAttention(device(), { ...heads, kvDtype: "e5m2", smScale: 1e30 });
    extreme.plan({ qoIndptr: [0, 1], pages });
    extreme.run({ q, cache: { k, v, kScale: 1e30 } }).dispose();
    await assertRejected(InvalidArgumentError, /sm_scale 1e\+30 times the k scale/, () => device().synchronize());
    using kScale = device().fromArray([1, 2], "f32");
    using out = attention.run({ q, cache: { k, v, kScale } });
    assert.ok((await out.read()).every((value) => value === 0));
  });

  it("queries in FP8 of another dtype, or with scales that are not positive finite numbers, or of other shapes", async () => {
    if (!hasFp8(device())) return;
    using cache = new PagedKvCache(device(), { ...cacheOptions, dtype: "e4m3" });
    cache.layer(0).k.fillBytes(0);
    cache.layer(0).v.fillBytes(0);
    using attention = new BatchAttention(device(), { ...heads, kvDtype: "e4m3", qDtype: "e4m3" });
    using q = device().tensor([1, 4, 64], "e4m3");
    using wide = device().tensor([1, 4, 64], "bf16");
    q.fillBytes(0);
    attention.plan({
      qoIndptr: [0, 1],
      pages: pageTable({ indptr: [0, 1], indices: [0], lastPageLen: [1], pageSize: 8 }),
    });
    assertRefused(
      InvalidArgumentError,
      /q has dtype bf16, the attention e4m3/,
      () => attention.run({ q: wide, cache }),
    );
    assertRefused(
      InvalidArgumentError,
      /out has dtype e4m3, the attention bf16/,
      () => attention.run({ q, out: q, cache }),
    );
    for (const qScale of [0, -1, NaN, Infinity, 1e-60]) {
      const message = new RegExp(`qScale is ${qScale}. Pass a positive finite number`);
      assertRefused(InvalidArgumentError, message, () => attention.run({ q, qScale, cache }));
    }
    using two = device().fromArray([1, 1], "f32");
    const message = /qScale is f32 \[2\]. Pass a number, or contiguous f32 \[4\]/;
    assertRefused(InvalidArgumentError, message, () => attention.run({ q, qScale: two, cache }));
    if (device().kind === "cpu") {
      using qScale = device().fromArray([1, 1, -3, 1], "f32");
      attention.run({ q, qScale, cache }).dispose();
      await assertRejected(InvalidArgumentError, /the q scale of query head 2 is -3/, () => device().synchronize());
    }
    using qScale = device().fromArray([1, 2, 3, 4], "f32");
    using out = attention.run({ q, qScale, cache });
    assert.ok((await out.read()).every((value) => value === 0));
  });

  it("use after dispose", () => {
    using cache = new PagedKvCache(device(), cacheOptions);
    using q = device().tensor([1, 4, 64], "bf16");
    const pages = pageTable({ indptr: [0, 1], indices: [0], lastPageLen: [1], pageSize: 8 });
    const attention = new BatchAttention(device(), heads);
    attention.plan({ qoIndptr: [0, 1], pages });
    const gone = device().tensor([1, 4, 64], "bf16");
    gone.dispose();
    assertRefused(DisposedError, /disposed/, () => attention.run({ q: gone, cache }));
    assertRefused(DisposedError, /disposed/, () => attention.run({ q, cache, out: gone }));
    const closedCache = new PagedKvCache(device(), cacheOptions);
    closedCache.dispose();
    assertRefused(DisposedError, /disposed/, () => attention.run({ q, cache: closedCache }));
    attention.dispose();
    attention.dispose();
    assertRefused(DisposedError, /attention was disposed/, () => attention.run({ q, cache }));
    assertRefused(DisposedError, /attention was disposed/, () => attention.plan({ qoIndptr: [0, 1], pages }));
  });

  it("masks that are too short to be read", () => {
    using attention = new BatchAttention(device(), heads);
    const pages = pageTable({ indptr: [0, 1], indices: [0], lastPageLen: [5], pageSize: 8 });
    const customMask = packCustomMask([new Uint8Array(2 * 5)]);
    attention.plan({ qoIndptr: [0, 2], pages, customMask });
    assertRefused(
      InvalidArgumentError,
      /3 queries x 5 keys are 2 bytes|custom mask of request 0 is 2 bytes/,
      () => attention.plan({ qoIndptr: [0, 4], pages, customMask }),
    );
  });
});

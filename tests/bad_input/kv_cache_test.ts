/** The KV cache refuses what does not fit it, and is whole afterwards. */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  DisposedError,
  type DType,
  InvalidArgumentError,
  openDevice,
  OutOfMemoryError,
  PagedKvCache,
  type PagedKvCacheOptions,
  PageError,
  type Tensor,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertRefused } from "../support/refused.ts";

const options = { numPages: 6, pageSize: 8, numKvHeads: 2, headDim: 64, dtype: "bf16" as const };

onEveryBackend("bad input to the KV cache", (device, backend) => {
  it("options", () => {
    using tensor = device().tensor([5], "f32");
    const bad: [Partial<PagedKvCacheOptions>, RegExp][] = [
      [{ numPages: 0 }, /numPages is 0/],
      [{ numPages: NaN }, /numPages is NaN/],
      [{ pageSize: 0 }, /pageSize is 0. Pass an integer from 1 to 1024/],
      [{ pageSize: 1025 }, /pageSize is 1025/],
      [{ numKvHeads: 0 }, /numKvHeads is 0/],
      [{ numLayers: -1 }, /numLayers is -1/],
      [{ headDim: 65 }, /headDim is 65. Supported: 64, 96, 128, 192, 256/],
      [{ headDimVo: 0 }, /headDimVo is 0/],
      [{ dtype: "u8" }, /dtype u8 .*Supported: bf16, f16/],
      [{ kScale: 2 }, /kScale is 2, and dtype is bf16: only FP8 is scaled/],
      [{ vScale: [1, 1] }, /vScale is given, and dtype is bf16/],
      [{ dtype: "e4m3", kScale: 0 }, /kScale is 0. Pass a positive finite number/],
      [{ dtype: "e4m3", kScale: NaN }, /kScale is NaN/],
      [{ dtype: "e4m3", vScale: 1e-60 }, /vScale is 1e-60/],
      [
        { dtype: "e4m3", vScale: [1] },
        /vScale has 1 numbers. Pass one for each KV head, 2, or .* layer and KV head, 6/,
      ],
      [{ dtype: "e4m3", vScale: [1, -1] }, /vScale\[1\] is -1/],
      [{ dtype: "e4m3", kScale: tensor }, /kScale is f32 \[5\]. Pass contiguous f32 \[2\] or \[3,2\]/],
      [{ dtype: "e4m3", kScale: tensor.slice(0, 4).reshape([2, 2]) }, /kScale is f32 \[2,2\]/],
      [{ kvLayout: "DHN" as "NHD" }, /kvLayout is "DHN". Pass "NHD" or "HND"/],
    ];
    const before = device().memoryUsage();
    for (const [change, message] of bad) {
      const numLayers = 3;
      assertRefused(
        InvalidArgumentError,
        message,
        () => new PagedKvCache(device(), { ...options, numLayers, ...change }),
      );
    }
    // K alone fits in no machine; or K does and V is what fails.
    assertRefused(
      OutOfMemoryError,
      /make a tensor/,
      () => new PagedKvCache(device(), { ...options, numPages: 2 ** 30, numLayers: 64 }),
    );
    assert.equal(
      device().memoryUsage().allocatedBytes,
      before.allocatedBytes,
      "a cache that could not be made left memory",
    );
  });

  it("sequences that are not its own, listed twice, or freed", async () => {
    using cache = new PagedKvCache(device(), options);
    using stranger = new PagedKvCache(device(), options);
    const [mine, theirs] = [cache.createSequence(), stranger.createSequence()];
    assertRefused(PageError, /sequence 1: it belongs to another cache/, () => cache.extend([mine, theirs], [1, 1]));
    assertRefused(InvalidArgumentError, /number 1 is listed twice/, () => cache.extend([mine, mine], [1, 1]));
    assertRefused(InvalidArgumentError, /extend 1 sequences: 2 counts were given/, () => cache.extend([mine], [1, 1]));
    for (const count of [-1, 0.5, NaN, 2 ** 31]) {
      assertRefused(
        InvalidArgumentError,
        new RegExp(`sequence 0 by ${count} tokens`),
        () => cache.extend([mine], [count]),
      );
    }
    for (const length of [-1, 1, 0.5, NaN]) {
      assertRefused(InvalidArgumentError, /truncate a sequence of 0 tokens/, () => mine.truncate(length));
    }
    assert.equal(mine.length, 0);
    mine.free();
    for (
      const call of [
        () => mine.fork(),
        () => mine.truncate(0),
        () => mine.pages,
        () => cache.extend([mine], [1]),
        () => cache.pageTable([mine]),
      ]
    ) {
      assertRefused(DisposedError, /sequence that was freed/, call);
    }
    cache.checkIntegrity();
    await device().synchronize();
  });

  it("prefixes that no match gave", () => {
    using cache = new PagedKvCache(device(), options);
    const create = (numTokens: number, pages: number[]) => () =>
      cache.createSequence({ numTokens, pages: Int32Array.from(pages) });
    assertRefused(PageError, /page 3 of the prefix is free/, create(8, [3]));
    assertRefused(PageError, /page 99/, create(8, [99]));
    assertRefused(PageError, /page -1/, create(8, [-1]));
    assertRefused(InvalidArgumentError, /prefix has 7 tokens on 1 pages of 8/, create(7, [3]));
    cache.checkIntegrity();
  });

  it("keys and values that do not fit", async () => {
    using cache = new PagedKvCache(device(), options);
    using other = await openDevice({ backend });
    const chat = cache.createSequence();
    using k = device().tensor([3, 2, 64], "bf16");
    using short = device().tensor([2, 2, 64], "bf16");
    using flat = device().tensor([3, 128], "bf16");
    using half = device().tensor([3, 2, 64], "f16");
    using wide = device().tensor([3 * 2 * 128], "bf16");
    using theirs = other.tensor([3, 2, 64], "bf16");
    const bad: [Parameters<PagedKvCache["append"]>[1], RegExp][] = [
      [{ k, v: short }, /append v: its shape is \[2,2,64\]. Expected .*\[3,2,64\]/],
      [{ k: flat, v: k }, /append k: its shape is \[3,128\]/],
      [{ k, v: half }, /append v: its dtype is f16, the cache's is bf16/],
      [{ k, v: theirs }, /append v: it lies on/],
      [{ k: wide.view([3, 2, 64], [256, 128, 2]), v: k }, /innermost stride is 2/],
      [{ k, v: k, indptr: [0, 2] }, /append 3 tokens to 1 sequences: indptr is \[0,2\]/],
      [{ k, v: k, indptr: [0, 1, 3] }, /indptr is \[0,1,3\]/],
    ];
    for (const [kv, message] of bad) assertRefused(InvalidArgumentError, message, () => cache.append([chat], kv));
    assert.deepEqual([chat.length, cache.pool.numUsed], [0, 0]);
    const old = cache.extend([chat], [3]);
    cache.extend([chat], [1]);
    assertRefused(InvalidArgumentError, /slots are of an earlier extend/, () => cache.write({ k, v: k, slots: old }));
    using layers = new PagedKvCache(device(), { ...options, numLayers: 2 });
    assertRefused(
      InvalidArgumentError,
      /cache of 2 layers: call extend\(\) once/,
      () => layers.append([layers.createSequence()], { k, v: k }),
    );
    for (const layer of [2, -1, 0.5]) {
      assertRefused(InvalidArgumentError, new RegExp(`layer is ${layer}`), () => layers.layer(layer));
    }
    cache.checkIntegrity();
  });

  it("rows that an FP8 cache can't take", () => {
    using cache = new PagedKvCache(device(), { ...options, dtype: "e4m3" });
    const chat = cache.createSequence();
    const rows = (dtype: DType): Tensor => device().tensor([3, 2, 64], dtype);
    using bf16 = rows("bf16");
    using f16 = rows("f16");
    using e4m3 = rows("e4m3");
    using e5m2 = rows("e5m2");
    using i32 = rows("i32");
    using invFreq = device().tensor([32], "f32");
    const bad: [Parameters<PagedKvCache["append"]>[1], RegExp][] = [
      [{ k: e5m2, v: e5m2 }, /k: its dtype is e5m2, the cache's is e4m3. An FP8 cache takes f32, f16, bf16 too/],
      [{ k: bf16, v: i32 }, /v: its dtype is i32/],
      [{ k: bf16, v: f16 }, /k has dtype bf16 and v f16. Both must be of one dtype/],
      [{ k: e4m3, v: bf16 }, /k has dtype e4m3 and v bf16/],
      [{ k: e4m3, v: e4m3, rope: { invFreq } }, /k is e4m3. Keys are rotated before they become FP8/],
    ];
    for (const [kv, message] of bad) assertRefused(InvalidArgumentError, message, () => cache.append([chat], kv));
    assert.deepEqual([chat.length, cache.pool.numUsed], [0, 0]);
    cache.checkIntegrity();
  });

  it("use after dispose", () => {
    const cache = new PagedKvCache(device(), options);
    const chat = cache.createSequence();
    const slots = cache.extend([chat], [0]);
    using k = device().tensor([0, 2, 64], "bf16");
    cache.dispose();
    cache.dispose();
    const calls = [
      () => cache.createSequence(),
      () => cache.extend([], []),
      () => cache.append([], { k, v: k }),
      () => cache.write({ k, v: k, slots }),
      () => cache.pageTable([]),
    ];
    for (const call of calls) assertRefused(DisposedError, /KV cache was disposed/, call);
    assert.equal(chat.freed, true);
  });
});

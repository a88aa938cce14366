import assert from "node:assert/strict";
import { it } from "node:test";
import { PagedKvCache, PageError, ropeFrequencies, type Sequence } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, FLOAT_DTYPES, rounded } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { rotateHead } from "../support/rotate.ts";
import { roundingOf } from "../support/tolerance.ts";

const small = { numPages: 8, pageSize: 4, numKvHeads: 2, headDim: 64, dtype: "bf16" as const };

onEveryBackend("PagedKvCache", (device, backend) => {
  /** New keys and values of one sequence: every element of token i is `first + i`. */
  const tokens = (count: number, first: number) => {
    const values = Float32Array.from({ length: count * 128 }, (_, i) => first + Math.floor(i / 128));
    return {
      k: device().fromArray(values, "bf16", [count, 2, 64]),
      v: device().fromArray(values.map((value) => -value), "bf16", [count, 2, 64]),
    };
  };
  const append = (cache: PagedKvCache, sequence: Sequence, count: number, first: number) => {
    const { k, v } = tokens(count, first);
    try {
      cache.append([sequence], { k, v });
    } finally {
      k.dispose();
      v.dispose();
    }
  };
  /** First element of each token's key, and minus that of its value: equal unless something is wrong. */
  const contentOf = async (cache: PagedKvCache, sequence: Sequence): Promise<number[]> => {
    const [k, v] = [await cache.layer(0).k.read(), await cache.layer(0).v.read()];
    return Array.from({ length: sequence.length }, (_, t) => {
      const slot = sequence.pages[Math.floor(t / cache.pageSize)] * cache.pageSize + t % cache.pageSize;
      assert.equal(-v[slot * 128], k[slot * 128]);
      return k[slot * 128];
    });
  };

  it("appends across pages", async () => {
    using cache = new PagedKvCache(device(), small);
    const chat = cache.createSequence();
    append(cache, chat, 3, 1);
    append(cache, chat, 6, 4);
    assert.equal(chat.length, 9);
    assert.equal(chat.pages.length, 3);
    assert.deepEqual(await contentOf(cache, chat), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const table = cache.pageTable([chat]);
    assert.deepEqual([...table.indptr, ...table.lastPageLen, table.pageSize], [0, 3, 1, 4]);
    assert.deepEqual([...table.indices], [...chat.pages]);
    cache.checkIntegrity();
  });

  it("forks without a copy, and copies a shared part-full page when one side writes", async () => {
    using cache = new PagedKvCache(device(), small);
    const parent = cache.createSequence();
    append(cache, parent, 6, 1);
    const child = parent.fork();
    assert.equal(cache.pool.numUsed, 2);
    append(cache, child, 1, 50);
    assert.equal(cache.pool.numUsed, 3);
    assert.equal(child.pages[0], parent.pages[0]);
    assert.notEqual(child.pages[1], parent.pages[1]);
    append(cache, parent, 1, 60);
    assert.equal(cache.pool.numUsed, 3, "the parent is alone on its page by now");
    assert.deepEqual(await contentOf(cache, parent), [1, 2, 3, 4, 5, 6, 60]);
    assert.deepEqual(await contentOf(cache, child), [1, 2, 3, 4, 5, 6, 50]);
    cache.checkIntegrity();
  });

  it("extends both sides of a fork in one call", async () => {
    using cache = new PagedKvCache(device(), small);
    const parent = cache.createSequence();
    append(cache, parent, 2, 1);
    const child = parent.fork();
    const { k, v } = tokens(2, 70);
    cache.append([parent, child], { k, v, indptr: [0, 1, 2] });
    assert.deepEqual(await contentOf(cache, parent), [1, 2, 70]);
    assert.deepEqual(await contentOf(cache, child), [1, 2, 71]);
    cache.checkIntegrity();
    k.dispose();
    v.dispose();
  });

  it("does not copy a shared full page", () => {
    using cache = new PagedKvCache(device(), small);
    const parent = cache.createSequence();
    append(cache, parent, 4, 1);
    const child = parent.fork();
    append(cache, child, 1, 9);
    assert.equal(cache.pool.numUsed, 2);
    assert.equal(child.pages[0], parent.pages[0]);
  });

  it("truncates, writes over what was dropped, and frees", async () => {
    using cache = new PagedKvCache(device(), small);
    const chat = cache.createSequence();
    append(cache, chat, 11, 1);
    chat.truncate(5);
    assert.equal(cache.pool.numUsed, 2);
    append(cache, chat, 2, 30);
    assert.deepEqual(await contentOf(cache, chat), [1, 2, 3, 4, 5, 30, 31]);
    chat.truncate(0);
    assert.equal(cache.pool.numUsed, 0);
    append(cache, chat, 1, 7);
    chat.free();
    chat.free();
    assert.deepEqual([cache.pool.numUsed, cache.numSequences, chat.freed], [0, 0, true]);
    cache.checkIntegrity();
  });

  it("starts from a cached prefix, and evicts prefixes nobody uses when pages run short", async () => {
    using cache = new PagedKvCache(device(), small);
    const prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13];
    const first = cache.createSequence();
    append(cache, first, 9, 1);
    assert.equal(cache.prefixes.insert(prompt, first.pages), 2);
    first.free();
    assert.equal(cache.pool.numUsed, 2);
    const second = cache.createSequence(cache.prefixes.match(prompt, prompt.length - 1));
    assert.equal(second.length, 8);
    append(cache, second, 1, 90);
    assert.deepEqual(await contentOf(cache, second), [1, 2, 3, 4, 5, 6, 7, 8, 90]);
    cache.checkIntegrity();
    // Five pages are free, and the prefix is in use: six can't be had.
    const third = cache.createSequence();
    assert.throws(() => append(cache, third, 24, 0), PageError);
    assert.equal(third.length, 0);
    second.free();
    append(cache, third, 32, 0);
    assert.equal(cache.prefixes.numPages, 0);
    cache.checkIntegrity();
  });

  it("leaves a failed append without a trace", () => {
    using cache = new PagedKvCache(device(), small);
    const chat = cache.createSequence();
    append(cache, chat, 3, 1);
    const fork = chat.fork();
    const { k, v } = tokens(6, 1);
    using invFreq = device().tensor([33], "f32");
    assert.throws(() => cache.append([chat], { k, v, rope: { invFreq } }), /invFreq is f32 \[33\]/);
    assert.throws(() => append(cache, chat, 40, 1), PageError);
    assert.deepEqual([chat.length, fork.length], [3, 3]);
    cache.checkIntegrity();
    k.dispose();
    v.dispose();
  });

  it("writes every layer through one page table, and copies pages of every layer", async () => {
    using cache = new PagedKvCache(device(), { ...small, numLayers: 3 });
    const chat = cache.createSequence();
    const writeStep = (sequence: typeof chat, count: number, first: number): void => {
      const slots = cache.extend([sequence], [count]);
      for (let layer = 0; layer < 3; layer++) {
        const { k, v } = tokens(count, first + 10 * layer);
        cache.write({ k, v, slots, layer });
        k.dispose();
        v.dispose();
      }
    };
    writeStep(chat, 5, 1);
    const fork = chat.fork();
    writeStep(fork, 1, 7);
    for (let layer = 0; layer < 3; layer++) {
      const k = await cache.layer(layer).k.read();
      const found = Array.from({ length: 6 }, (_, t) => k[(fork.pages[t >> 2] * 4 + t % 4) * 128]);
      assert.deepEqual(found, [1, 2, 3, 4, 5, 7].map((value) => value + 10 * layer));
    }
  });

  for (const dtype of FLOAT_DTYPES.filter((dtype) => dtype !== "f32" || backend === "cpu")) {
    for (const interleaved of [false, true]) {
      it(`rotates keys on the way in: ${dtype}, ${interleaved ? "neighbours" : "halves"}`, async () => {
        const random = new Random(7);
        const [count, numKvHeads, headDim, rotaryDim] = [9, 3, 128, 64];
        using cache = new PagedKvCache(device(), { numPages: 5, pageSize: 3, numKvHeads, headDim, dtype });
        const kValues = rounded(dtype, random.normals(2 * count * numKvHeads * headDim));
        const invFreqValues = ropeFrequencies({ rotaryDim });
        using invFreq = device().fromArray(invFreqValues, "f32");
        const chat = cache.createSequence();
        // In two steps, so that positions go on where the sequence ended.
        for (const [begin, end] of [[0, 2], [2, count]]) {
          const part = kValues.subarray(begin * numKvHeads * headDim, end * numKvHeads * headDim);
          using k = device().fromArray(part, dtype, [end - begin, numKvHeads, headDim]);
          using v = device().fromArray(part, dtype, [end - begin, numKvHeads, headDim]);
          cache.append([chat], { k, v, rope: { invFreq, interleaved } });
        }
        const [gotK, gotV] = [await cache.layer(0).k.read(), await cache.layer(0).v.read()];
        for (let token = 0; token < count; token++) {
          for (let head = 0; head < numKvHeads; head++) {
            const at = (token * numKvHeads + head) * headDim;
            const slot = ((chat.pages[Math.floor(token / 3)] * 3 + token % 3) * numKvHeads + head) * headDim;
            const own = kValues.subarray(at, at + headDim);
            const { out, size } = rotateHead(own, invFreqValues, token, interleaved);
            const tolerance = (i: number): number =>
              size[i] === 0 ? 0 : 1.01 * roundingOf(dtype, out[i]) + 2 ** -21 * size[i];
            assertClose(gotK.subarray(slot, slot + headDim), out, tolerance, `key ${token}, head ${head}`);
            assert.deepEqual(gotV.slice(slot, slot + headDim), own.slice(), `value ${token}, head ${head}`);
          }
        }
      });
    }
  }
});

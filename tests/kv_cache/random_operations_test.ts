/**
 * Sequences and prefixes under random operations, beside a plain model: each sequence is a list of token ids, and a token's K and V on the
 * device spell its id. A page that is given to two, copied too late or freed too early shows as a wrong id.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import {
  type Device,
  type DType,
  PagedKvCache,
  type PagedKvCacheOptions,
  PageError,
  type Sequence,
  type Tensor,
} from "../../mod.ts";
import { isFp8 } from "../../src/device/dtype.ts";
import { onEveryBackend } from "../support/backends.ts";

const SHAPES: (Partial<PagedKvCacheOptions> & { pageSize: number; dtype: DType })[] = [
  { pageSize: 1, dtype: "bf16" },
  { pageSize: 2, dtype: "f16", kvLayout: "HND" },
  { pageSize: 3, dtype: "bf16", kvLayout: "HND", numKvHeads: 3 },
  { pageSize: 4, dtype: "f32", numLayers: 2 },
  { pageSize: 5, dtype: "bf16", headDim: 192, headDimVo: 128 },
  { pageSize: 8, dtype: "f32", kvLayout: "HND" },
  { pageSize: 16, dtype: "f16", numLayers: 3, kvLayout: "HND" },
  { pageSize: 128, dtype: "bf16", numKvHeads: 1 },
  { pageSize: 7, dtype: "e4m3", kvLayout: "HND" },
  { pageSize: 4, dtype: "e5m2", numLayers: 2, headDim: 96 },
];

interface Chat {
  sequence: Sequence;
  ids: number[];
}

/** The first elements of a head's row: digits, exact in every dtype (e5m2 counts to 8). */
function spell(name: "k" | "v", id: number, layer: number, head: number): number[] {
  return [id & 7, (id >> 3) & 7, (id >> 6) & 7, id >> 9, layer, head, name === "k" ? 1 : 2];
}

class World {
  readonly cache: PagedKvCache;
  readonly chats: Chat[] = [];
  #nextId = 1;
  readonly #device: Device;

  constructor(device: Device, shape: (typeof SHAPES)[number]) {
    this.#device = device;
    this.cache = new PagedKvCache(device, { numPages: 12, numKvHeads: 2, headDim: 64, ...shape });
  }

  /** Appends to several sequences in one step; all or nothing. */
  append(chats: Chat[], counts: number[]): void {
    const { cache } = this;
    const ids = counts.map((count) => Array.from({ length: count }, () => this.#nextId++));
    let slots;
    try {
      slots = cache.extend(chats.map(({ sequence }) => sequence), counts);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      const needed = chats.reduce(
        (sum, { ids: old }, i) =>
          sum + Math.ceil((old.length + counts[i]) / cache.pageSize) - Math.ceil(old.length / cache.pageSize) + 1,
        0,
      );
      assert.ok(needed > cache.pool.numFree, "refused although there were pages");
      return;
    }
    const all = ids.flat();
    for (let layer = 0; layer < cache.numLayers; layer++) {
      const k = this.#rows("k", all, layer, cache.headDim);
      const v = this.#rows("v", all, layer, cache.headDimVo);
      cache.write({ k, v, slots, layer });
      k.dispose();
      v.dispose();
    }
    chats.forEach((chat, i) => chat.ids.push(...ids[i]));
  }

  #rows(name: "k" | "v", ids: number[], layer: number, dim: number): Tensor {
    const { numKvHeads, dtype: stored, numLayers } = this.cache;
    // FP8 is written from FP8 here, from a wider dtype there.
    const dtype = isFp8(stored) && numLayers > 1 ? "bf16" : stored;
    const values = new Float32Array(ids.length * numKvHeads * dim).fill(7);
    ids.forEach((id, i) => {
      for (let head = 0; head < numKvHeads; head++) {
        values.set(spell(name, id, layer, head), (i * numKvHeads + head) * dim);
      }
    });
    return this.#device.fromArray(values, dtype, [ids.length, numKvHeads, dim]);
  }

  /** Compares every token of every sequence, in every layer, with what the model says. */
  async check(): Promise<void> {
    const { cache } = this;
    cache.checkIntegrity();
    for (const { sequence, ids } of this.chats) assert.equal(sequence.length, ids.length);
    for (let layer = 0; layer < cache.numLayers; layer++) {
      const { k, v, kStrides, vStrides } = cache.layer(layer);
      const [kAll, vAll] = [await k.read(), await v.read()];
      for (const { sequence, ids } of this.chats) {
        ids.forEach((id, position) => {
          const page = sequence.pages[Math.floor(position / cache.pageSize)];
          const inPage = position % cache.pageSize;
          for (let head = 0; head < cache.numKvHeads; head++) {
            const kAt = page * kStrides.page + inPage * kStrides.token + head * kStrides.head;
            const vAt = page * vStrides.page + inPage * vStrides.token + head * vStrides.head;
            const where = `layer ${layer}, position ${position}, head ${head}`;
            assert.deepEqual([...kAll.subarray(kAt, kAt + 7)], spell("k", id, layer, head), `key at ${where}`);
            assert.deepEqual([...vAll.subarray(vAt, vAt + 7)], spell("v", id, layer, head), `value at ${where}`);
          }
        });
      }
    }
  }

  do({ kind, a, b }: Step): void {
    const { cache, chats } = this;
    const chat = chats.length === 0 ? undefined : chats[a % chats.length];
    const { pageSize } = cache;
    if (kind === "create" || chat === undefined) {
      chats.push({ sequence: cache.createSequence(), ids: [] });
    } else if (kind === "append") {
      this.append([chat], [b % (2 * pageSize + 2)]);
    } else if (kind === "append to all") {
      this.append(chats, chats.map((_, i) => (a + i * b) % (pageSize + 2)));
    } else if (kind === "fork") {
      chats.push({ sequence: chat.sequence.fork(), ids: [...chat.ids] });
    } else if (kind === "truncate") {
      const length = b % (chat.ids.length + 1);
      chat.sequence.truncate(length);
      chat.ids.length = length;
    } else if (kind === "free") {
      chat.sequence.free();
      chats.splice(chats.indexOf(chat), 1);
    } else if (kind === "insert") {
      cache.prefixes.insert(chat.ids, chat.sequence.pages);
    } else if (kind === "match") {
      const prefix = cache.prefixes.match(chat.ids, b % (chat.ids.length + 1));
      chats.push({ sequence: cache.createSequence(prefix), ids: chat.ids.slice(0, prefix.numTokens) });
    } else {
      cache.prefixes.evict(b % 4);
    }
  }
}

interface Step {
  kind: string;
  a: number;
  b: number;
}

const KINDS = [
  "create",
  "append",
  "append",
  "append",
  "append to all",
  "fork",
  "truncate",
  "free",
  "insert",
  "match",
  "evict",
];
const steps = fc.array(fc.record({ kind: fc.constantFrom(...KINDS), a: fc.nat(1000), b: fc.nat(1000) }), {
  minLength: 5,
  maxLength: 40,
});

onEveryBackend("a KV cache under random operations", (device, backend) => {
  for (const shape of SHAPES) {
    if (backend === "cuda" && shape.dtype === "f32") continue;
    it(JSON.stringify(shape), async () => {
      const before = device().memoryUsage().allocatedBytes;
      await fc.assert(
        fc.asyncProperty(steps, async (list) => {
          const world = new World(device(), shape);
          try {
            for (const [i, step] of list.entries()) {
              world.do(step);
              world.cache.checkIntegrity();
              if (i % 8 === 7) await world.check();
            }
            await world.check();
            for (const { sequence } of world.chats) sequence.free();
            world.cache.prefixes.evict(12);
            assert.equal(world.cache.pool.numUsed, 0, "pages are left");
          } finally {
            world.cache.dispose();
          }
        }),
        { numRuns: 60, seed: 7 },
      );
      assert.equal(device().memoryUsage().allocatedBytes, before, "memory is left");
    });
  }
});

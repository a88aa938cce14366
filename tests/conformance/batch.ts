/**
 * A case of the table as data: pages in shuffled order, everything that no query may see poisoned with NaN, and the same batch as the oracle
 * reads it.
 */
import {
  type CustomMask,
  type DType,
  indptrOf,
  type KvLevel,
  packCustomMask,
  type PageTable,
  pageTable,
  type RawArray,
} from "../../mod.ts";
import { fromRaw, isFp8, toRaw } from "../../src/device/dtype.ts";
import type { OracleBatch } from "../support/oracle.ts";
import { Random } from "../support/random.ts";
import type { AttentionCase } from "./cases.ts";

/** A case ready to run. */
export interface Batch {
  oracle: OracleBatch;
  numTokens: number;
  numPages: number;
  qoIndptr: Int32Array;
  /** One of the two, as `BatchAttention.plan` takes it. */
  pages?: PageTable;
  levels?: KvLevel[];
  customMask?: CustomMask;
  /** FP8's scales of q, K and V: one number, or one for each head, as the case says. */
  qScale?: number | Float32Array;
  kScale?: number | Float32Array;
  vScale?: number | Float32Array;
  /** Elements as stored: q [numTokens, numQoHeads, headDim]; k, v [numPages, pageSize, numKvHeads, headDim]. */
  q: RawArray;
  k: RawArray;
  v: RawArray;
}

/** Requests that have the same KV at one level. */
interface Group {
  requests: number[];
  kvLen: number;
  pages: number[];
}

/** Raw bits of a NaN in every floating dtype. */
export function poisonOf(dtype: DType): number {
  return dtype === "f32" ? NaN : isFp8(dtype) ? 0x7f : 0x7fff;
}

/** Builds a case's batch. The same seed gives the same batch. */
export function buildBatch(attention: AttentionCase, seed: number): Batch {
  const random = new Random(seed);
  const { qoLens, pageSize, numKvHeads, groupSize, headDim, headDimVo = headDim, dtype, magnitude = 1 } = attention;
  const { kvDtype = dtype, qDtype = dtype } = attention;
  const qoIndptr = indptrOf(qoLens);
  const numTokens = qoIndptr[qoLens.length];
  const grouped = groupLevels(attention, random);
  const numPages = placePages(grouped, pageSize, random);
  const slots = slotsOf(grouped, qoLens.length, pageSize);
  const isUsed = new Uint8Array(numPages * pageSize);
  for (const list of slots) for (const slot of list) isUsed[slot] = 1;

  const numQoHeads = numKvHeads * groupSize;
  // Of two bits, so that a converted query times its head's scale is exact in 16 bits.
  const qScale = qDtype === dtype ? undefined : scalesOf(attention, numQoHeads, [1.5, 0.375, 1]);
  const q = storedNumbers(qDtype, random, numTokens, numQoHeads, headDim, magnitude, qScale);
  const kScale = scalesOf(attention, numKvHeads, [0.25, 0.7, 1]);
  const vScale = scalesOf(attention, numKvHeads, [3, 0.01, 1.7]);
  const k = storedNumbers(kvDtype, random, isUsed.length, numKvHeads, headDim, magnitude, kScale);
  const v = storedNumbers(kvDtype, random, isUsed.length, numKvHeads, headDimVo, 1, vScale);
  poisonUnused(k, isUsed, numKvHeads * headDim, kvDtype);
  poisonUnused(v, isUsed, numKvHeads * headDimVo, kvDtype);

  const kvLens = slots.map((list) => list.length);
  const masks = attention.maskDensity === undefined
    ? undefined
    : randomMasks(qoLens, kvLens, attention.maskDensity, random);
  const tables = grouped.map((groups) => tableOf(groups, pageSize, random));
  const isPlain = grouped.length === 1;
  return {
    oracle: {
      q: fromRaw(qDtype, q) as Float32Array,
      k: fromRaw(kvDtype, k) as Float32Array,
      v: fromRaw(kvDtype, v) as Float32Array,
      qScales: scaleOfEachHead(qScale, numQoHeads),
      kScales: scaleOfEachHead(kScale, numKvHeads),
      vScales: scaleOfEachHead(vScale, numKvHeads),
      qoIndptr,
      slots,
      masks,
      numKvHeads,
      groupSize,
      headDimQk: headDim,
      headDimVo,
      causal: attention.causal ?? false,
      windowLeft: attention.windowLeft ?? -1,
      windowRight: attention.windowRight ?? -1,
      smScale: Math.fround(attention.smScale ?? 1 / Math.sqrt(headDim)),
      logitsSoftCap: attention.logitsSoftCap ?? 0,
    },
    numTokens,
    numPages,
    qoIndptr,
    pages: isPlain ? tables[0] : undefined,
    levels: isPlain ? undefined : grouped.map((groups, l) => levelOf(groups, tables[l], qoIndptr, l)),
    customMask: masks === undefined ? undefined : poisonPadding(packCustomMask(masks), masks),
    qScale,
    kScale,
    vScale,
    q,
    k,
    v,
  };
}

/** A case's scales of q, K or V: none, the first of some, or one after another. */
function scalesOf({ scales }: AttentionCase, numHeads: number, some: number[]): number | Float32Array | undefined {
  if (scales === undefined) return undefined;
  if (scales === "tensor") return Math.fround(some[0]);
  return Float32Array.from({ length: numHeads }, (_, head) => some[head % some.length]);
}

function scaleOfEachHead(scale: number | Float32Array | undefined, numHeads: number): Float32Array | undefined {
  return typeof scale === "number" ? new Float32Array(numHeads).fill(scale) : scale;
}

/** [numRows, numHeads, dim] as stored: normal numbers divided by their head's scale, so that those of each head are as large as without. */
function storedNumbers(
  dtype: DType,
  random: Random,
  numRows: number,
  numHeads: number,
  dim: number,
  magnitude: number,
  scale: number | Float32Array | undefined,
): RawArray {
  const numbers = random.normals(numRows * numHeads * dim, magnitude);
  if (scale !== undefined) {
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] /= typeof scale === "number" ? scale : scale[Math.floor(i / dim) % numHeads];
    }
  }
  return toRaw(dtype, numbers) as RawArray;
}

/** Which requests share what, level by level; pages are not placed yet. */
function groupLevels(attention: AttentionCase, random: Random): Group[][] {
  const { kvLens, sharedLen, sharedLevels = 0, gathered = false } = attention;
  const all = kvLens.map((_, r) => r);
  if (sharedLen !== undefined) {
    const order = gathered ? random.shuffled(all) : all;
    return [
      [{ requests: order, kvLen: sharedLen, pages: [] }],
      kvLens.map((kvLen, r) => ({ requests: [r], kvLen: kvLen - sharedLen, pages: [] })),
    ];
  }
  const levels: Group[][] = [];
  for (let l = 0; l < sharedLevels; l++) {
    const groups: Group[] = [];
    let rest = gathered ? random.shuffled(all) : all;
    while (rest.length > 0) {
      const size = random.integer(1, rest.length);
      const [kvLen, isLeftOut] = [random.integer(0, 300), random.next() < 0.2];
      if (!isLeftOut) groups.push({ requests: rest.slice(0, size), kvLen, pages: [] });
      rest = rest.slice(size);
    }
    levels.push(groups);
  }
  return [...levels, kvLens.map((kvLen, r) => ({ requests: [r], kvLen, pages: [] }))];
}

/** Gives every group pages, in shuffled order among others that nobody uses. Returns the number of pages. */
function placePages(levels: Group[][], pageSize: number, random: Random): number {
  const groups = levels.flat();
  const needed = groups.reduce((sum, { kvLen }) => sum + Math.ceil(kvLen / pageSize), 0);
  const numPages = needed + 1 + Math.ceil(needed / 16);
  const order = random.shuffled(Array.from({ length: numPages }, (_, page) => page));
  for (const group of groups) group.pages = order.splice(0, Math.ceil(group.kvLen / pageSize));
  return numPages;
}

function slotsOf(levels: Group[][], numRequests: number, pageSize: number): Int32Array[] {
  const slots: number[][] = Array.from({ length: numRequests }, () => []);
  for (const { requests, kvLen, pages } of levels.flat()) {
    for (const request of requests) {
      for (let t = 0; t < kvLen; t++) {
        slots[request].push(pages[Math.floor(t / pageSize)] * pageSize + t % pageSize);
      }
    }
  }
  return slots.map((list) => Int32Array.from(list));
}

/** The groups' pages as foreign arrays: plain numbers, with garbage behind the last page id. */
function tableOf(groups: Group[], pageSize: number, random: Random): PageTable {
  const indices = groups.flatMap(({ pages }) => pages);
  for (let i = random.integer(0, 9); i > 0; i--) indices.push(random.pick([-7, 0x7fffffff, 123456789]));
  return pageTable({
    indptr: [...indptrOf(groups.map(({ pages }) => pages.length))],
    indices,
    lastPageLen: groups.map(({ kvLen, pages }) => kvLen === 0 ? 0 : kvLen - (pages.length - 1) * pageSize),
    pageSize,
  });
}

function levelOf(groups: Group[], pages: PageTable, qoIndptr: Int32Array, level: number): KvLevel {
  const tokens = groups.map(({ requests }) =>
    requests.flatMap((r) => Array.from({ length: qoIndptr[r + 1] - qoIndptr[r] }, (_, t) => qoIndptr[r] + t))
  );
  const rowIndptr = indptrOf(tokens.map((list) => list.length));
  const rowIndices = Int32Array.from(tokens.flat());
  // Rows that stand in the batch's own order need no list; every other level is given without one if it can be.
  const isOrdered = rowIndices.every((token, i) => token === i);
  return isOrdered && level % 2 === 1 ? { rowIndptr, pages } : { rowIndptr, rowIndices, pages };
}

function poisonUnused(raw: RawArray, isUsed: Uint8Array, elementsPerSlot: number, dtype: DType): void {
  const poison = poisonOf(dtype);
  for (let slot = 0; slot < isUsed.length; slot++) {
    if (isUsed[slot] === 0) raw.fill(poison, slot * elementsPerSlot, (slot + 1) * elementsPerSlot);
  }
}

/** A mask for each request but every fourth. */
function randomMasks(qoLens: number[], kvLens: number[], density: number, random: Random): (Uint8Array | null)[] {
  return qoLens.map((qoLen, r) => {
    if (r % 4 === 3) return null;
    const mask = new Uint8Array(qoLen * kvLens[r]);
    for (let i = 0; i < mask.length; i++) mask[i] = random.next() < density ? 1 : 0;
    return mask;
  });
}

/** Sets the bits that pad each mask to a whole byte: nobody may read them. */
function poisonPadding(packed: CustomMask, masks: readonly (Uint8Array | null)[]): CustomMask {
  masks.forEach((mask, r) => {
    const numBits = mask?.length ?? 0;
    if (numBits % 8 !== 0) packed.bits[packed.indptr[r + 1] - 1] |= 0xff << (numBits % 8);
  });
  return packed;
}

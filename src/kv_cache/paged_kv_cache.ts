/**
 * A paged KV cache: device memory for K and V in pages, the pool that hands pages out, and the sequences that use them.
 *
 * One page id names the same page in every layer, so one page table serves a whole model.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError, PageError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import type { DType } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import type { PageTable } from "../formats/page_table.ts";
import { checkIntegrity } from "./integrity.ts";
import { type AppendRope, type DeviceSlots, type KvLayer, KvMemory } from "./kv_memory.ts";
import type { KvLayout } from "./layout.ts";
import { checkKvCacheOptions, type PagedKvCacheOptions } from "./options.ts";
import { PagePool } from "./page_pool.ts";
import { type PrefixMatch, PrefixTree } from "./prefix_tree.ts";
import { Sequence } from "./sequence.ts";

export type { AppendRope, DeviceSlots, KvLayer } from "./kv_memory.ts";
export type { PagedKvCacheOptions } from "./options.ts";

/** Where the tokens of one step go; made by {@linkcode PagedKvCache.extend}, valid until the next call of it. */
export interface AppendSlots {
  /** Tokens of the step. */
  readonly numTokens: number;
  /** First token of each sequence: [numSequences + 1]. What `BatchAttention.plan` calls `qoIndptr`. */
  readonly qoIndptr: Int32Array;
  /** i32 [numTokens] on the device: page * pageSize + token of the page. */
  readonly slots: Tensor;
  /** i32 [numTokens] on the device: position of each token in its sequence. */
  readonly positions: Tensor;
}

/** New keys and values of one layer. */
export interface KvWrite {
  /**
   * [numTokens, numKvHeads, headDim] of the cache's dtype. An FP8 cache also takes bf16, f16 and f32: it stores `k / kScale`, rounded to nearest
   * even, what is too large as the largest finite number. FP8 rows are stored as they are.
   */
  k: Tensor;
  /** [numTokens, numKvHeads, headDimVo], of the dtype of `k`. */
  v: Tensor;
  /** From `extend`; or tensors that a graph may read anew at each replay, as a `DeviceBatch` has them. */
  slots: AppendSlots | DeviceSlots;
  /** 0 by default. */
  layer?: number;
  /** Rotates `k` on the way in. */
  rope?: AppendRope;
}

/** Pages of K and V on a device, with sequences over them. */
export class PagedKvCache implements Disposable {
  /** Where it lies. */
  readonly device: Device;
  /** Pages in each layer. */
  readonly numPages: number;
  /** Tokens a page. */
  readonly pageSize: number;
  /** Heads of K and V. */
  readonly numKvHeads: number;
  /** Elements of one head of K. */
  readonly headDim: number;
  /** Elements of one head of V. */
  readonly headDimVo: number;
  /** Of K and V as they are stored. */
  readonly dtype: DType;
  /** Layers that share the page table. */
  readonly numLayers: number;
  /** How a page is laid out. */
  readonly kvLayout: KvLayout;
  /** Stream of all its work. */
  readonly stream: Stream;
  /** Which pages are free. */
  readonly pool: PagePool;
  /** Prefixes kept for later prompts; empty until someone inserts. `extend` evicts from it when pages run short. */
  readonly prefixes: PrefixTree;
  readonly #memory: KvMemory;
  readonly #sequences: Set<Sequence> = new Set();
  /** Slots and positions of the present step; reused, in stream order. */
  #slots: Tensor | undefined;
  /** Page pairs of copy-on-write. */
  #pairs: Tensor | undefined;
  #current: AppendSlots | undefined;
  #disposed = false;

  /** An empty cache. @throws {InvalidArgumentError} or {@linkcode OutOfMemoryError}; nothing is kept then. */
  constructor(device: Device, options: PagedKvCacheOptions) {
    const checked = checkKvCacheOptions(device, options);
    const { numPages, pageSize } = checked;
    this.device = device;
    this.numPages = numPages;
    this.pageSize = pageSize;
    this.numKvHeads = checked.numKvHeads;
    this.headDim = checked.headDim;
    this.headDimVo = checked.headDimVo;
    this.dtype = checked.dtype;
    this.numLayers = checked.numLayers;
    this.kvLayout = checked.kvLayout;
    this.stream = checked.stream;
    this.#memory = new KvMemory(device, checked);
    this.pool = new PagePool(numPages);
    this.prefixes = new PrefixTree(this.pool, pageSize);
  }

  /** Sequences that were not freed. */
  get numSequences(): number {
    return this.#sequences.size;
  }

  /** One layer's pages. */
  layer(index: number): KvLayer {
    return this.#memory.layer(index);
  }

  /**
   * An empty sequence, or one that starts with a cached prefix.
   *
   * @param prefix from `prefixes.match`; the sequence takes over its pages.
   * @throws {InvalidArgumentError | PageError} if the prefix is not whole pages in use of this cache.
   */
  createSequence(prefix?: PrefixMatch): Sequence {
    this.#assertOpen("create a sequence");
    if (prefix !== undefined) {
      this.#checkPrefix(prefix);
      this.prefixes.take(prefix);
    }
    return new Sequence(this.#owner, prefix?.pages ?? new Int32Array(0), prefix?.numTokens ?? 0);
  }

  /**
   * Makes room for new tokens at the ends of sequences: takes pages, copies shared part-full pages, and uploads where each token goes.
   * All or nothing.
   *
   * @param sequences of this cache, none twice.
   * @param counts new tokens of each, >= 0.
   * @throws {PageError} if too few pages are free, also after evicting unreferenced prefixes; every sequence is as before then.
   */
  extend(sequences: readonly Sequence[], counts: ArrayLike<number>): AppendSlots {
    this.#assertOpen("extend sequences");
    if (sequences.length !== counts.length) {
      throw new InvalidArgumentError(
        `Cannot extend ${sequences.length} sequences: ${counts.length} counts were given. Pass one count a sequence.`,
      );
    }
    const { qoIndptr, numNewPages, numCopies } = this.#countNeeds(sequences, counts);
    const missing = numNewPages + numCopies - this.pool.numFree;
    if (missing > 0) this.prefixes.evict(missing);
    const fresh = this.pool.allocate(numNewPages + numCopies);
    const numTokens = qoIndptr[sequences.length];
    let taken = 0;
    const pairs = new Int32Array(2 * numCopies);
    let numPairs = 0;
    const where = new Int32Array(2 * numTokens);
    const newPages: Int32Array[] = [];
    const copied: number[] = [];
    for (let i = 0; i < sequences.length; i++) {
      const { pages, length } = sequences[i];
      const count = counts[i];
      let last = pages.length > 0 ? pages[pages.length - 1] : -1;
      copied.push(-1);
      if (count > 0 && this.#lastPageIsSharedAndPartFull(sequences[i])) {
        pairs[2 * numPairs] = last;
        pairs[2 * numPairs + 1] = fresh[taken];
        numPairs++;
        last = copied[i] = fresh[taken++];
      }
      const own = fresh.subarray(taken, taken + Math.ceil((length + count) / this.pageSize) - pages.length);
      taken += own.length;
      newPages.push(own);
      for (let t = 0; t < count; t++) {
        const position = length + t;
        const page = Math.floor(position / this.pageSize);
        const id = page < pages.length ? last : own[page - pages.length];
        where[qoIndptr[i] + t] = id * this.pageSize + position % this.pageSize;
        where[numTokens + qoIndptr[i] + t] = position;
      }
    }
    let slots: AppendSlots;
    try {
      slots = this.#uploadSlots(where, numTokens, qoIndptr);
      this.#copyPages(pairs);
    } catch (error) {
      this.pool.release(fresh);
      throw error;
    }
    for (let i = 0; i < sequences.length; i++) {
      if (copied[i] >= 0) {
        const pages = sequences[i].pages;
        this.pool.release([pages[pages.length - 1]]);
        sequences[i].replaceLastPage(copied[i]);
      }
      sequences[i].grow(counts[i], newPages[i]);
    }
    return slots;
  }

  /**
   * Writes keys and values of one layer to the slots that `extend` made, or that the device knows.
   *
   * @throws {InvalidArgumentError} for a wrong shape, dtype, device or layer, or slots of an earlier step.
   */
  write({ k, v, slots, layer = 0, rope }: KvWrite): void {
    this.#assertOpen("write");
    if (!("qoIndptr" in slots)) {
      this.#memory.expectSlots(slots);
    } else if (slots !== this.#current) {
      throw new InvalidArgumentError(
        "Cannot write to the KV cache: these slots are of an earlier extend(). Write every layer before the next extend().",
      );
    }
    this.#memory.write({ k, v, slots: slots.slots, positions: slots.positions, layer, rope });
    if ("qoIndptr" in slots) this.stream.capture?.atLaunch.push(() => this.#checkReplay(slots));
  }

  /** Before a graph writes to slots of `extend`: a later one may have put its slots elsewhere. */
  #checkReplay({ numTokens, slots }: AppendSlots): void {
    const now = this.#current;
    if (now === undefined || (now.numTokens === numTokens && now.slots.address === slots.address)) return;
    throw new InvalidArgumentError(
      `Cannot launch a graph: it writes ${numTokens} tokens to slots of an earlier extend(). Extend by as many, or capture a write to a DeviceBatch's slots.`,
    );
  }

  /**
   * `extend` and `write` for a cache of one layer: adds the tokens of `k` and `v` to the sequences' ends.
   *
   * @param sequences of this cache.
   * @param kv `k` [numTokens, numKvHeads, headDim] and `v` [numTokens, numKvHeads, headDimVo], as {@linkcode KvWrite} says; `indptr` [numSequences + 1] says
   *   which rows belong to which sequence (omit it for one sequence); `rope` rotates keys on the way in.
   */
  append(
    sequences: readonly Sequence[],
    kv: { k: Tensor; v: Tensor; indptr?: ArrayLike<number>; rope?: AppendRope },
  ): AppendSlots {
    this.#assertOpen("append");
    if (this.numLayers !== 1) {
      throw new InvalidArgumentError(
        `Cannot append in one call to a cache of ${this.numLayers} layers: call extend() once, then write() for each layer.`,
      );
    }
    const { indptr = [0, kv.k.shape[0]] } = kv;
    if (indptr.length !== sequences.length + 1 || indptr[0] !== 0 || indptr[sequences.length] !== kv.k.shape[0]) {
      throw new InvalidArgumentError(
        `Cannot append ${kv.k.shape[0]} tokens to ${sequences.length} sequences: indptr is [${Array.from(indptr)}]. ` +
          "It needs one entry more than sequences, from 0 to the number of tokens.",
      );
    }
    const counts = sequences.map((_, i) => indptr[i + 1] - indptr[i]);
    // Bad tensors are refused before pages are taken.
    this.#memory.expectRows(kv.k, kv.v, kv.k.shape[0]);
    const lengths = sequences.map(({ length }) => length);
    const slots = this.extend(sequences, counts);
    try {
      this.write({ k: kv.k, v: kv.v, slots, rope: kv.rope });
    } catch (error) {
      // A failed append leaves the sequences as they were.
      sequences.forEach((sequence, i) => sequence.truncate(lengths[i]));
      throw error;
    }
    return slots;
  }

  /** The page table of some sequences, one row each, as `BatchAttention.plan` takes it. */
  pageTable(sequences: readonly Sequence[]): PageTable {
    this.#assertOpen("make a page table");
    const indptr = new Int32Array(sequences.length + 1);
    const lastPageLen = new Int32Array(sequences.length);
    for (let i = 0; i < sequences.length; i++) {
      this.#assertOwn(sequences[i], i);
      const { length, pages } = sequences[i];
      indptr[i + 1] = indptr[i] + pages.length;
      lastPageLen[i] = length === 0 ? 0 : length - (pages.length - 1) * this.pageSize;
    }
    const indices = new Int32Array(indptr[sequences.length]);
    for (let i = 0; i < sequences.length; i++) indices.set(sequences[i].pages, indptr[i]);
    return { indptr, indices, lastPageLen, pageSize: this.pageSize };
  }

  /** Checks that every page's count equals its holders (sequences and cached prefixes). @throws {PageError} naming what is wrong. */
  checkIntegrity(): void {
    checkIntegrity(this.pool, this.prefixes, this.#sequences, this.pageSize);
  }

  /** Frees the sequences, the cached prefixes and the memory. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    try {
      for (const sequence of [...this.#sequences]) sequence.free();
      this.prefixes.clear();
    } finally {
      // Whatever was done to the pool behind our back, the memory goes back.
      this.#memory.dispose();
      this.#slots?.dispose();
      this.#pairs?.dispose();
    }
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  readonly #owner = {
    cache: this,
    get pool(): PagePool {
      return this.cache.pool;
    },
    get pageSize(): number {
      return this.cache.pageSize;
    },
    adopt: (sequence: Sequence): void => void this.#sequences.add(sequence),
    forget: (sequence: Sequence): void => void this.#sequences.delete(sequence),
  };

  #countNeeds(
    sequences: readonly Sequence[],
    counts: ArrayLike<number>,
  ): { qoIndptr: Int32Array; numNewPages: number; numCopies: number } {
    const qoIndptr = new Int32Array(sequences.length + 1);
    let numNewPages = 0;
    let numCopies = 0;
    const seen = new Set<Sequence>();
    for (let i = 0; i < sequences.length; i++) {
      const sequence = sequences[i];
      this.#assertOwn(sequence, i);
      if (seen.has(sequence)) throw new InvalidArgumentError(`Cannot extend sequences: number ${i} is listed twice.`);
      seen.add(sequence);
      const count = counts[i];
      if (!Number.isInteger(count) || count < 0 || sequence.length + count > 0x7fffffff) {
        throw new InvalidArgumentError(
          `Cannot extend sequence ${i} by ${count} tokens: pass an integer >= 0 (its length is ${sequence.length}).`,
        );
      }
      qoIndptr[i + 1] = qoIndptr[i] + count;
      numNewPages += Math.ceil((sequence.length + count) / this.pageSize) - sequence.pages.length;
      if (count > 0 && this.#lastPageIsSharedAndPartFull(sequence)) numCopies++;
    }
    return { qoIndptr, numNewPages, numCopies };
  }

  #checkPrefix({ pages, numTokens }: PrefixMatch): void {
    if (numTokens !== pages.length * this.pageSize) {
      throw new InvalidArgumentError(
        `Cannot create a sequence: the prefix has ${numTokens} tokens on ${pages.length} pages of ${this.pageSize}. Pass what prefixes.match() returned.`,
      );
    }
    for (const page of pages) {
      if (this.pool.count(page) === 0) {
        throw new PageError(
          `Cannot create a sequence: page ${page} of the prefix is free. Pass what prefixes.match() returned, once.`,
        );
      }
    }
  }

  #lastPageIsSharedAndPartFull({ length, pages }: Sequence): boolean {
    return length % this.pageSize !== 0 && this.pool.count(pages[pages.length - 1]) > 1;
  }

  #uploadSlots(where: Int32Array, numTokens: number, qoIndptr: Int32Array): AppendSlots {
    if (this.#slots === undefined || this.#slots.shape[0] < where.length) {
      const grown = this.device.tensor([Math.max(64, where.length, 2 * (this.#slots?.shape[0] ?? 0))], "i32");
      this.#slots?.dispose();
      this.#slots = grown;
    }
    const slots = this.#slots.slice(0, numTokens);
    const positions = this.#slots.slice(numTokens, 2 * numTokens);
    if (numTokens > 0) this.#slots.slice(0, 2 * numTokens).write(where, this.stream);
    this.#current = { numTokens, qoIndptr, slots, positions };
    return this.#current;
  }

  #copyPages(pairs: Int32Array): void {
    if (pairs.length === 0) return;
    if (this.#pairs === undefined || this.#pairs.shape[0] < pairs.length) {
      const grown = this.device.tensor([Math.max(64, 2 * pairs.length)], "i32");
      this.#pairs?.dispose();
      this.#pairs = grown;
    }
    this.#pairs.slice(0, pairs.length).write(pairs, this.stream);
    this.#memory.copyPages(this.#pairs, pairs.length / 2);
  }

  #assertOwn(sequence: Sequence, index: number): void {
    sequence.assertLive("use");
    if (!this.#sequences.has(sequence)) {
      throw new PageError(`Cannot use sequence ${index}: it belongs to another cache.`);
    }
  }

  #assertOpen(action: string): void {
    if (this.#disposed) throw new DisposedError(`Cannot ${action}: the KV cache was disposed.`);
  }
}

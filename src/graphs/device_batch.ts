/**
 * A batch of decoding requests on the device, for graphs: tensors that are made once, for the largest batch, and read at each replay.
 *
 * @module
 */
import { CapacityError, DisposedError, InvalidArgumentError } from "../errors.ts";
import type { DevicePages, DevicePlanOptions } from "../attention/device_plan.ts";
import type { AttentionCapacity } from "../attention/options.ts";
import type { Device } from "../device/device.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { checkPageSize, MAX_KV_TOKENS } from "../formats/page_table.ts";
import type { DeviceSlots } from "../kv_cache/kv_memory.ts";

/** The largest batch. */
export interface DeviceBatchOptions {
  /** Requests of a batch. */
  maxRequests: number;
  /** Page ids of a batch. */
  maxPages: number;
  /** Tokens a page. */
  pageSize: number;
  /** Query tokens of a request; 1 by default. */
  maxQoLen?: number;
  /** Stream of its uploads, which must be the graph's; the device's own by default. */
  stream?: Stream;
}

/** A batch as the host knows it. */
export interface DeviceBatchContents {
  /** Page ids of each request: `indices[indptr[r] .. indptr[r + 1])`, with room for the tokens of the steps to come. */
  pages: { readonly indptr: Int32Array; readonly indices: Int32Array };
  /** [numRequests]: KV tokens that each request has now. A step's query tokens come on top. */
  kvLens: ArrayLike<number>;
  /** [numRequests]: query tokens of each request in each step; one each by default. */
  qoLens?: ArrayLike<number>;
}

/**
 * A batch whose lengths grow on the device: each `BatchAttention.planOnDevice(batch)`, and each replay of a graph that holds it, is a step in which every
 * request gets its query tokens appended. The host need do nothing between two steps. It writes the batch anew when requests come or go, or when
 * pages run out: a step for which some request has no room is refused before it runs.
 */
export class DeviceBatch implements DevicePlanOptions, Disposable {
  /** Requests that it has room for. */
  readonly maxRequests: number;
  /** Page ids of all requests that it has room for. */
  readonly maxPages: number;
  /** Query tokens of a request. */
  readonly maxQoLen: number;
  /** Rows of q, k, v and out: `maxRequests * maxQoLen`. The batch's tokens are the first of them. */
  readonly maxTokens: number;
  /** Lengths grow by the query tokens of each step. */
  readonly appends = true;
  readonly qoIndptr: Tensor;
  readonly pages: DevicePages;
  /** i32 [maxTokens]: slot of each query token, page * pageSize + token of the page; -1 behind the batch. Written by each step. */
  readonly slots: Tensor;
  /** i32 [maxTokens]: position of each query token; 0 behind the batch. Written by each step. */
  readonly positions: Tensor;
  readonly #stream: Stream;
  /** Steps that all requests have pages for. */
  #stepsLeft = Infinity;
  /** qoIndptr, pages.indptr, pages.kvLens and pages.indices, in one tensor, so that one upload writes them. */
  readonly #tables: Tensor;
  readonly #where: Tensor;
  readonly #words: Int32Array;

  /** An empty batch. @throws {InvalidArgumentError} naming the option; {OutOfMemoryError}. */
  constructor(
    device: Device,
    { maxRequests, maxPages, pageSize, maxQoLen = 1, stream = device.stream }: DeviceBatchOptions,
  ) {
    expectInteger("maxRequests", maxRequests, 1);
    expectInteger("maxPages", maxPages, 1);
    expectInteger("maxQoLen", maxQoLen, 1);
    checkPageSize(pageSize);
    if (stream.device !== device) refuse("the stream belongs to another device.");
    this.maxRequests = maxRequests;
    this.maxPages = maxPages;
    this.maxQoLen = maxQoLen;
    this.maxTokens = maxRequests * maxQoLen;
    this.#stream = stream;
    this.#words = new Int32Array(3 * maxRequests + 2 + maxPages);
    this.#tables = device.tensor([this.#words.length], "i32");
    try {
      this.#where = device.tensor([2 * this.maxTokens], "i32");
    } catch (error) {
      this.#tables.dispose();
      throw error;
    }
    let at = 0;
    const table = (count: number): Tensor => this.#tables.slice(at, at += count);
    this.qoIndptr = table(maxRequests + 1);
    this.pages = {
      indptr: table(maxRequests + 1),
      kvLens: table(maxRequests),
      indices: table(maxPages),
      pageSize,
    };
    this.slots = this.#where.slice(0, this.maxTokens);
    this.positions = this.#where.slice(this.maxTokens, 2 * this.maxTokens);
    this.#tables.fillBytes(0, stream);
    this.#where.fillBytes(0xff, stream);
  }

  /**
   * What an attention must be made with to plan this batch. Its host plans are then within it too: for prompts, of more than `maxQoLen` tokens, make it with
   * `{ ...batch.capacity, maxTokens, maxQoLen }` of their own.
   */
  get capacity(): AttentionCapacity {
    const { maxTokens, maxRequests, maxPages, maxQoLen } = this;
    return { maxTokens, maxRequests, maxPages, maxQoLen };
  }

  /** Where a step's new keys and values go, for `PagedKvCache.write`. */
  get appendSlots(): DeviceSlots {
    return { slots: this.slots, positions: this.positions };
  }

  /**
   * Enqueues a batch in place of the last one: one small upload. Steps that were enqueued before still have the old one.
   *
   * @throws {CapacityError} for more than was declared, or where not even one step's tokens fit a request's pages; {InvalidArgumentError} for
   *   arrays that contradict each other. Nothing is written then.
   */
  write({ pages: { indptr, indices }, kvLens, qoLens }: DeviceBatchContents): void {
    if (this.#tables.disposed) throw new DisposedError("Cannot write a batch that was disposed.");
    const { maxRequests, maxPages, maxQoLen, pages: { pageSize } } = this;
    const numRequests = kvLens.length;
    if (indptr.length !== numRequests + 1 || (qoLens !== undefined && qoLens.length !== numRequests)) {
      refuse(
        `there are ${numRequests} kvLens, ${indptr.length} entries of pages.indptr${
          qoLens === undefined ? "" : ` and ${qoLens.length} qoLens`
        }. ` +
          "Pass one of each a request, and one more of indptr.",
      );
    }
    expectFits("maxRequests", maxRequests, numRequests, "requests");
    const numPages = indptr[numRequests];
    if (indptr[0] !== 0 || !(numPages <= indices.length)) {
      refuse(
        `pages.indptr goes from ${
          indptr[0]
        } to ${numPages}, for ${indices.length} page ids. It must go from 0 to no more than those.`,
      );
    }
    expectFits("maxPages", maxPages, numPages, "page ids");
    let stepsLeft = Infinity;
    for (let r = 0; r < numRequests; r++) {
      const numOwn = indptr[r + 1] - indptr[r];
      const kvLen = kvLens[r];
      const qoLen = qoLens === undefined ? 1 : qoLens[r];
      if (numOwn < 0) {
        refuse(`pages.indptr falls from ${indptr[r]} to ${indptr[r + 1]} at request ${r}. It must not fall.`);
      }
      if (!Number.isInteger(kvLen) || kvLen < 0) refuse(`kvLens of request ${r} is ${kvLen}. Pass an integer >= 0.`);
      if (!Number.isInteger(qoLen) || qoLen < 0) refuse(`qoLens of request ${r} is ${qoLen}. Pass an integer >= 0.`);
      expectFits("maxQoLen", maxQoLen, qoLen, `query tokens in request ${r}`);
      const room = Math.min(numOwn * pageSize, MAX_KV_TOKENS);
      if (qoLen > 0) stepsLeft = Math.min(stepsLeft, Math.floor((room - kvLen) / qoLen));
      if (kvLen + qoLen > room) {
        throw new CapacityError(
          `Cannot write a batch: request ${r} has ${kvLen} KV tokens and gets ${qoLen}, and its ${numOwn} pages hold ${room}. Give it pages for the steps to come.`,
        );
      }
    }
    this.#writeTables(indptr, indices, kvLens, qoLens);
    this.#stepsLeft = stepsLeft;
  }

  /** Not for users: counts steps. @throws {CapacityError} if a request's pages are full. */
  beforeStep(): void {
    if (this.#stepsLeft < 1) {
      throw new CapacityError(
        "Cannot do another step of a device batch: the pages of a request are full. Write the batch anew, with pages for the steps to come.",
      );
    }
    this.#stepsLeft--;
  }

  /**
   * The step that is under way, for the plan of a second attention with other options, such as a window: to be planned after `planOnDevice(batch)`, in the
   * same graph. Lengths do not grow again.
   */
  get sameStep(): DevicePlanOptions {
    const { qoIndptr, pages, maxQoLen } = this;
    return { qoIndptr, pages, maxQoLen };
  }

  #writeTables(
    indptr: Int32Array,
    indices: Int32Array,
    kvLens: ArrayLike<number>,
    qoLens: ArrayLike<number> | undefined,
  ): void {
    const { maxRequests } = this;
    const numRequests = kvLens.length;
    const numPages = indptr[numRequests];
    for (let i = 0; i < numPages; i++) {
      if (indices[i] < 0) refuse(`page id ${i} is ${indices[i]}. Page ids are >= 0.`);
    }
    const words = this.#words;
    const pageAt = maxRequests + 1;
    const lengthAt = 2 * pageAt;
    const idAt = lengthAt + maxRequests;
    words[0] = 0;
    words[pageAt] = 0;
    for (let r = 0; r < maxRequests; r++) {
      // Behind the batch are requests without tokens and pages.
      const exists = r < numRequests;
      words[r + 1] = words[r] + (exists ? (qoLens === undefined ? 1 : qoLens[r]) : 0);
      words[pageAt + r + 1] = exists ? indptr[r + 1] : numPages;
      words[lengthAt + r] = exists ? kvLens[r] : 0;
    }
    words.set(indices.subarray(0, numPages), idAt);
    this.#tables.slice(0, idAt + numPages).write(words.subarray(0, idAt + numPages), this.#stream);
  }

  /** Gives the memory back once work under way, and every graph that holds it, is done. A second call does nothing. */
  dispose(): void {
    this.#tables.dispose();
    this.#where.dispose();
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function expectInteger(name: string, value: number, min: number): void {
  if (!Number.isInteger(value) || value < min || value > 0x7fffffff) {
    refuse(`${name} is ${value}. Pass an integer from ${min} on.`);
  }
}

function expectFits(name: string, capacity: number, need: number, what: string): void {
  if (need > capacity) {
    throw new CapacityError(
      `Cannot write a batch: it has ${need} ${what}, but ${name} is ${capacity}. Write a smaller batch, or declare a larger ${name}.`,
    );
  }
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`Cannot use a device batch: ${why}`);
}

/**
 * The pages of a KV cache as numbers: which are free, and how many holders each used page has. Knows nothing of devices.
 *
 * Invariants: a page is either on the free list with count 0, or used with count >= 1; `numFree + numUsed === numPages`.
 *
 * @module
 */
import { InvalidArgumentError, PageError } from "../errors.ts";

/** Hands out page ids `0..numPages-1` and counts their holders. */
export class PagePool {
  /** Pages in the pool. */
  readonly numPages: number;
  /** Holders of each page; 0 for a free one. */
  readonly #counts: Int32Array;
  /** A stack of free page ids; the top is `#free[#numFree - 1]`. */
  readonly #free: Int32Array;
  #numFree: number;

  /** A pool whose pages are all free. @throws {InvalidArgumentError} if `numPages` is not an integer >= 1. */
  constructor(numPages: number) {
    if (!Number.isInteger(numPages) || numPages < 1 || numPages > 0x7fffffff) {
      throw new InvalidArgumentError(
        `Cannot create page pool: numPages is ${numPages}. Pass an integer from 1 to 2^31 - 1.`,
      );
    }
    this.numPages = numPages;
    this.#counts = new Int32Array(numPages);
    this.#free = new Int32Array(numPages);
    for (let i = 0; i < numPages; i++) this.#free[i] = numPages - 1 - i;
    this.#numFree = numPages;
  }

  /** Pages that nobody holds. */
  get numFree(): number {
    return this.#numFree;
  }

  /** Pages with at least one holder. */
  get numUsed(): number {
    return this.numPages - this.#numFree;
  }

  /** Holders of a page. */
  count(page: number): number {
    this.#assertPage(page, "read the count of");
    return this.#counts[page];
  }

  /**
   * Takes `count` free pages, each with one holder, all or none.
   *
   * @throws {PageError} if fewer are free; nothing is taken then.
   */
  allocate(count: number): Int32Array {
    if (!Number.isInteger(count) || count < 0) {
      throw new InvalidArgumentError(`Cannot allocate ${count} pages: the number must be an integer >= 0.`);
    }
    if (count > this.#numFree) {
      throw new PageError(
        `Cannot allocate ${count} pages: ${this.#numFree} of ${this.numPages} are free. ` +
          "Free sequences, evict cached prefixes, or create the cache with more pages.",
      );
    }
    const pages = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const page = this.#free[--this.#numFree];
      this.#counts[page] = 1;
      pages[i] = page;
    }
    return pages;
  }

  /** Adds a holder to each page, all or none. @throws {PageError} if one is free. */
  retain(pages: ArrayLike<number>): void {
    for (let i = 0; i < pages.length; i++) {
      this.#assertPage(pages[i], "retain");
      if (this.#counts[pages[i]] === 0) {
        throw new PageError(`Cannot retain page ${pages[i]}: it is free. Only a page in use can get another holder.`);
      }
    }
    for (let i = 0; i < pages.length; i++) this.#counts[pages[i]]++;
  }

  /**
   * Drops one holder of each page, all or none; pages without holders become free.
   *
   * @returns how many pages became free.
   * @throws {PageError} if a page has fewer holders than the times it is listed (freed twice).
   */
  release(pages: ArrayLike<number>): number {
    const counts = this.#counts;
    let numReleased = 0;
    let bad = -1;
    for (; numReleased < pages.length; numReleased++) {
      const page = pages[numReleased];
      if (!Number.isInteger(page) || page < 0 || page >= this.numPages || counts[page] === 0) {
        bad = page;
        break;
      }
      counts[page]--;
    }
    if (numReleased < pages.length) {
      for (let i = 0; i < numReleased; i++) counts[pages[i]]++;
      this.#assertPage(bad, "free");
      throw new PageError(
        `Cannot free page ${bad}: it is free already (freed twice). Each holder may free a page once.`,
      );
    }
    let numFreed = 0;
    for (let i = 0; i < pages.length; i++) {
      const page = pages[i];
      // A page listed twice reaches count 0 at its first sight here and is pushed once: 0 is replaced by -1 until the end.
      if (counts[page] === 0) {
        counts[page] = -1;
        this.#free[this.#numFree++] = page;
        numFreed++;
      }
    }
    for (let i = 0; i < pages.length; i++) if (counts[pages[i]] === -1) counts[pages[i]] = 0;
    return numFreed;
  }

  /**
   * Checks the invariants, and the counts against the holders that the caller knows.
   *
   * @param holders for each page, how many holders the caller counts; omit to check the pool alone.
   * @throws {PageError} naming the first page that is wrong.
   */
  checkIntegrity(holders?: Int32Array): void {
    const isFree = new Uint8Array(this.numPages);
    for (let i = 0; i < this.#numFree; i++) {
      const page = this.#free[i];
      if (isFree[page]) throw new PageError(`Page pool is damaged: page ${page} is on the free list twice.`);
      isFree[page] = 1;
    }
    for (let page = 0; page < this.numPages; page++) {
      const count = this.#counts[page];
      if ((count === 0) !== (isFree[page] === 1) || count < 0) {
        throw new PageError(
          `Page pool is damaged: page ${page} has count ${count} and is ${isFree[page] ? "" : "not "}on the free list.`,
        );
      }
      if (holders !== undefined && holders[page] !== count) {
        throw new PageError(
          `Page pool is damaged: page ${page} has count ${count}, but ${holders[page]} holders are known.`,
        );
      }
    }
  }

  #assertPage(page: number, action: string): void {
    if (!Number.isInteger(page) || page < 0 || page >= this.numPages) {
      throw new PageError(`Cannot ${action} page ${page}: the pool has pages 0 to ${this.numPages - 1}.`);
    }
  }
}

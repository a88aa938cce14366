/**
 * One sequence of a paged KV cache: which pages hold its tokens, and how many there are.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import type { PagePool } from "./page_pool.ts";

/** What a sequence needs of its cache. */
export interface SequenceOwner {
  readonly pool: PagePool;
  readonly pageSize: number;
  /** Forgets an ended sequence. */
  forget(sequence: Sequence): void;
  /** Takes note of a new one. */
  adopt(sequence: Sequence): void;
}

/** A run of tokens in a cache. Made by `PagedKvCache.createSequence`, ended by `free` or `using`. */
export class Sequence implements Disposable {
  readonly #owner: SequenceOwner;
  #pages: Int32Array;
  #numPages: number;
  #length: number;
  #freed = false;

  /** Not for users: call `PagedKvCache.createSequence`. The sequence becomes the holder that `pages` were retained for. */
  constructor(owner: SequenceOwner, pages: Int32Array, length: number) {
    this.#owner = owner;
    this.#pages = pages.slice();
    this.#numPages = pages.length;
    this.#length = length;
    owner.adopt(this);
  }

  /** Tokens in the cache. */
  get length(): number {
    return this.#length;
  }

  /** Pages in order; the last may be part full. A view: valid until the sequence changes. */
  get pages(): Int32Array {
    this.assertLive("read the pages of");
    return this.#pages.subarray(0, this.#numPages);
  }

  /** True once the sequence was freed. */
  get freed(): boolean {
    return this.#freed;
  }

  /** A new sequence with the same tokens. Nothing is copied now: a shared page that is part full is copied when either appends to it. */
  fork(): Sequence {
    this.assertLive("fork");
    this.#owner.pool.retain(this.pages);
    return new Sequence(this.#owner, this.pages, this.#length);
  }

  /**
   * Drops the tokens from `length` on, and lets go of the pages that held only them.
   *
   * @throws {InvalidArgumentError} if `length` is not an integer from 0 to the present length.
   */
  truncate(length: number): void {
    this.assertLive("truncate");
    if (!Number.isInteger(length) || length < 0 || length > this.#length) {
      throw new InvalidArgumentError(
        `Cannot truncate a sequence of ${this.#length} tokens to ${length}: pass an integer from 0 to ${this.#length}.`,
      );
    }
    const keep = Math.ceil(length / this.#owner.pageSize);
    this.#owner.pool.release(this.#pages.subarray(keep, this.#numPages));
    this.#numPages = keep;
    this.#length = length;
  }

  /** Lets go of all pages. A second call does nothing. */
  free(): void {
    if (this.#freed) return;
    this.#owner.pool.release(this.pages);
    this.#freed = true;
    this.#numPages = 0;
    this.#length = 0;
    this.#owner.forget(this);
  }

  /** Same as `free`. */
  [Symbol.dispose](): void {
    this.free();
  }

  /** Refuses a freed sequence. @throws {DisposedError} if it was freed. */
  assertLive(action: string): void {
    if (this.#freed) throw new DisposedError(`Cannot ${action} a sequence that was freed.`);
  }

  /** Not for users: the cache grows the sequence after it wrote down where the tokens go. */
  grow(numTokens: number, newPages: Int32Array): void {
    const numPages = this.#numPages + newPages.length;
    if (numPages > this.#pages.length) {
      const grown = new Int32Array(Math.max(numPages, 2 * this.#pages.length));
      grown.set(this.#pages.subarray(0, this.#numPages));
      this.#pages = grown;
    }
    this.#pages.set(newPages, this.#numPages);
    this.#numPages = numPages;
    this.#length += numTokens;
  }

  /** Not for users: swaps the last page for its copy. */
  replaceLastPage(page: number): void {
    this.#pages[this.#numPages - 1] = page;
  }
}

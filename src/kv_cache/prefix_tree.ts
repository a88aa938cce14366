/**
 * A radix tree over token ids whose edges hold KV pages: finds the longest prefix of a prompt that is in the cache already.
 *
 * Only whole pages are shared, so every edge is a multiple of the page size long. The tree is one holder of each of its pages; whoever
 * matches becomes another. A page that only the tree holds can be evicted, least recently used first, from the leaves upwards.
 *
 * Source of the idea: RadixAttention, section 3 of the SGLang paper (Zheng et al., 2024).
 *
 * @module
 */
import { InvalidArgumentError, PageError } from "../errors.ts";
import type { PagePool } from "./page_pool.ts";

interface Node {
  parent: Node | undefined;
  /** Tokens of the edge from the parent; a multiple of the page size. */
  tokens: Int32Array;
  /** Pages of the edge, one for each `pageSize` tokens. */
  pages: Int32Array;
  /** By the tokens of the child's first page, joined. */
  children: Map<string, Node>;
  lastUse: number;
}

/** What {@linkcode PrefixTree.match} found. */
export interface PrefixMatch {
  /** Tokens of the prompt whose KV is in `pages`; a multiple of the page size. */
  readonly numTokens: number;
  /** Their pages, in order. The caller is a holder of each and must release them, or give the match to one sequence. */
  readonly pages: Int32Array;
}

/** A radix tree of cached prefixes over the pages of one pool. */
export class PrefixTree {
  readonly #pool: PagePool;
  readonly #pageSize: number;
  readonly #root: Node;
  /** Matches that no sequence has taken yet. */
  readonly #open = new WeakSet<PrefixMatch>();
  #clock = 0;
  #numPages = 0;

  /** `pageSize`: tokens a page. */
  constructor(pool: PagePool, pageSize: number) {
    if (!Number.isInteger(pageSize) || pageSize < 1) {
      throw new InvalidArgumentError(
        `Cannot create prefix tree: pageSize is ${pageSize}. Pass the cache's page size, an integer >= 1.`,
      );
    }
    this.#pool = pool;
    this.#pageSize = pageSize;
    this.#root = {
      parent: undefined,
      tokens: new Int32Array(0),
      pages: new Int32Array(0),
      children: new Map(),
      lastUse: 0,
    };
  }

  /** Pages that the tree holds. */
  get numPages(): number {
    return this.#numPages;
  }

  /**
   * Finds the longest cached prefix of `tokens` in whole pages, and makes the caller a holder of its pages.
   *
   * @param tokens token ids of a prompt.
   * @param maxTokens match at most this many tokens (a prompt's last token is usually computed anew to get its logits).
   */
  match(tokens: ArrayLike<number>, maxTokens: number = tokens.length): PrefixMatch {
    const found: Int32Array[] = [];
    const limit = Math.floor(Math.min(tokens.length, maxTokens) / this.#pageSize) * this.#pageSize;
    checkTokens("match a prefix", tokens, limit);
    const now = ++this.#clock;
    let node = this.#root;
    let done = 0;
    while (done < limit) {
      const child = node.children.get(this.#key(tokens, done));
      if (child === undefined) break;
      const numPages = this.#commonPages(child, tokens, done, limit);
      child.lastUse = now;
      found.push(child.pages.subarray(0, numPages));
      done += numPages * this.#pageSize;
      if (numPages < child.pages.length) break;
      node = child;
    }
    const pages = new Int32Array(done / this.#pageSize);
    let at = 0;
    for (const part of found) {
      pages.set(part, at);
      at += part.length;
    }
    this.#pool.retain(pages);
    const match = { numTokens: done, pages };
    this.#open.add(match);
    return match;
  }

  /**
   * Not for users: a sequence takes over what a match holds, which can be done once.
   *
   * @throws {InvalidArgumentError} if the match is not of this tree, or was taken before.
   */
  take(match: PrefixMatch): void {
    if (this.#open.delete(match)) return;
    throw new InvalidArgumentError(
      "Cannot create a sequence: the prefix was given to a sequence before, or is not what this cache's prefixes.match() returned. Match again for each sequence.",
    );
  }

  /**
   * Puts a computed prefix into the tree. Only whole pages are taken; where the tree has a page for the same tokens already, it keeps
   * its own. The caller stays a holder of its pages.
   *
   * @param tokens token ids whose KV is in `pages`.
   * @param pages at least `floor(tokens.length / pageSize)` pages in use.
   * @returns the pages the tree newly holds.
   */
  insert(tokens: ArrayLike<number>, pages: ArrayLike<number>): number {
    const numWhole = Math.floor(tokens.length / this.#pageSize);
    if (pages.length < numWhole) {
      throw new InvalidArgumentError(
        `Cannot insert a prefix of ${tokens.length} tokens: it fills ${numWhole} pages of ${this.#pageSize}, but ${pages.length} were given.`,
      );
    }
    const limit = numWhole * this.#pageSize;
    checkTokens("insert a prefix", tokens, limit);
    const now = ++this.#clock;
    let node = this.#root;
    let done = 0;
    while (done < limit) {
      const key = this.#key(tokens, done);
      const child = node.children.get(key);
      if (child === undefined) return this.#addLeaf(node, key, tokens, pages, done, limit, now);
      const numPages = this.#commonPages(child, tokens, done, limit);
      child.lastUse = now;
      done += numPages * this.#pageSize;
      node = numPages < child.pages.length && done < limit ? this.#split(child, numPages) : child;
    }
    return 0;
  }

  /**
   * Lets go of at least `numPages` pages that only the tree holds, least recently used leaves first, or of all such pages if there are
   * fewer.
   *
   * @returns the pages that became free.
   */
  evict(numPages: number): number {
    let numFreed = 0;
    while (numFreed < numPages) {
      const leaf = this.#oldestEvictableLeaf();
      if (leaf === undefined) break;
      let keep = leaf.pages.length;
      while (keep > 0 && numFreed < numPages && this.#pool.count(leaf.pages[keep - 1]) === 1) {
        keep--;
        numFreed++;
      }
      this.#pool.release(leaf.pages.subarray(keep));
      this.#numPages -= leaf.pages.length - keep;
      if (keep === 0) {
        leaf.parent!.children.delete(this.#key(leaf.tokens, 0));
      } else {
        leaf.pages = leaf.pages.slice(0, keep);
        leaf.tokens = leaf.tokens.slice(0, keep * this.#pageSize);
      }
    }
    return numFreed;
  }

  /** Lets go of every page, also of those that sequences hold too (they keep theirs). */
  clear(): void {
    for (const node of this.#nodes()) this.#pool.release(node.pages);
    this.#root.children.clear();
    this.#numPages = 0;
  }

  /** Adds 1 to `holders[page]` for each page of the tree, and checks the tree's own shape. @throws {PageError} if it is damaged. */
  countHolders(holders: Int32Array): void {
    let numPages = 0;
    for (const node of this.#nodes()) {
      if (node.pages.length === 0 || node.tokens.length !== node.pages.length * this.#pageSize) {
        throw new PageError(
          `Prefix tree is damaged: a node has ${node.tokens.length} tokens on ${node.pages.length} pages.`,
        );
      }
      if (node.parent!.children.get(this.#key(node.tokens, 0)) !== node) {
        throw new PageError(`Prefix tree is damaged: the node of page ${node.pages[0]} is not under its parent.`);
      }
      for (const page of node.pages) holders[page]++;
      numPages += node.pages.length;
    }
    if (numPages !== this.#numPages) {
      throw new PageError(`Prefix tree is damaged: it counts ${this.#numPages} pages and has ${numPages}.`);
    }
  }

  #addLeaf(
    parent: Node,
    key: string,
    tokens: ArrayLike<number>,
    pages: ArrayLike<number>,
    from: number,
    to: number,
    now: number,
  ): number {
    const leafTokens = new Int32Array(to - from);
    for (let i = from; i < to; i++) leafTokens[i - from] = tokens[i];
    const first = from / this.#pageSize;
    const leafPages = new Int32Array(leafTokens.length / this.#pageSize);
    for (let i = 0; i < leafPages.length; i++) leafPages[i] = pages[first + i];
    this.#pool.retain(leafPages);
    parent.children.set(key, { parent, tokens: leafTokens, pages: leafPages, children: new Map(), lastUse: now });
    this.#numPages += leafPages.length;
    return leafPages.length;
  }

  /** Cuts a node's edge after `numPages` pages; returns the new upper node. */
  #split(node: Node, numPages: number): Node {
    const numTokens = numPages * this.#pageSize;
    const upper: Node = {
      parent: node.parent,
      tokens: node.tokens.slice(0, numTokens),
      pages: node.pages.slice(0, numPages),
      children: new Map(),
      lastUse: node.lastUse,
    };
    node.parent!.children.set(this.#key(upper.tokens, 0), upper);
    node.tokens = node.tokens.slice(numTokens);
    node.pages = node.pages.slice(numPages);
    node.parent = upper;
    upper.children.set(this.#key(node.tokens, 0), node);
    return upper;
  }

  /** Pages at the start of `node`'s edge whose tokens equal `tokens[from..limit)`. */
  #commonPages(node: Node, tokens: ArrayLike<number>, from: number, limit: number): number {
    const end = Math.min(node.tokens.length, limit - from);
    let i = 0;
    while (i < end && node.tokens[i] === tokens[from + i]) i++;
    return Math.floor(i / this.#pageSize);
  }

  #key(tokens: ArrayLike<number>, from: number): string {
    let key = "" + tokens[from];
    for (let i = 1; i < this.#pageSize; i++) key += "," + tokens[from + i];
    return key;
  }

  #oldestEvictableLeaf(): Node | undefined {
    let oldest: Node | undefined;
    for (const node of this.#nodes()) {
      if (node.children.size > 0 || this.#pool.count(node.pages[node.pages.length - 1]) !== 1) continue;
      if (oldest === undefined || node.lastUse < oldest.lastUse) oldest = node;
    }
    return oldest;
  }

  *#nodes(): Generator<Node> {
    const open = [...this.#root.children.values()];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      open.push(...node.children.values());
      yield node;
    }
  }
}

function checkTokens(what: string, tokens: ArrayLike<number>, count: number): void {
  for (let i = 0; i < count; i++) {
    if ((tokens[i] | 0) === tokens[i] && tokens[i] >= 0) continue;
    throw new InvalidArgumentError(
      `Cannot ${what}: token ${i} is ${tokens[i]}. Token ids are integers from 0 to 2^31 - 1.`,
    );
  }
}

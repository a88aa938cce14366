/**
 * The whole-cache check: every page's count equals its holders.
 *
 * @module
 */
import { PageError } from "../errors.ts";
import type { PagePool } from "./page_pool.ts";
import type { PrefixTree } from "./prefix_tree.ts";
import type { Sequence } from "./sequence.ts";

/**
 * Checks a pool against everyone who holds its pages. For tests and for debugging: it walks everything.
 *
 * @throws {PageError} naming the first thing that is wrong.
 */
export function checkIntegrity(
  pool: PagePool,
  prefixes: PrefixTree,
  sequences: Iterable<Sequence>,
  pageSize: number,
): void {
  const holders = new Int32Array(pool.numPages);
  prefixes.countHolders(holders);
  for (const { length, pages } of sequences) {
    if (pages.length !== Math.ceil(length / pageSize)) {
      throw new PageError(`A sequence is damaged: ${length} tokens on ${pages.length} pages of ${pageSize}.`);
    }
    for (const page of pages) holders[page]++;
  }
  pool.checkIntegrity(holders);
}

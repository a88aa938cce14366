/**
 * Composable formats: a batch's KV as a list of levels, each a block-sparse matrix with block rows of its own height (FlashInfer paper,
 * section 3.1.2). A shared prefix is a level with tall block rows (many requests), a suffix one with short ones (one request each).
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { checkPageTable, type PageTable, toInt32 } from "./page_table.ts";
import { checkIndptr } from "./ragged.ts";

/** One level. Block row i is the query tokens `rowIndptr[i] .. rowIndptr[i + 1]`; all of them see the KV of row i of `pages`. */
export interface KvLevel {
  /** [numBlockRows + 1] */
  readonly rowIndptr: Int32Array;
  /** Query tokens of the block rows, end to end; if absent, block row i is the tokens of that range themselves. */
  readonly rowIndices?: Int32Array;
  /** One row a block row. */
  readonly pages: PageTable;
}

/** The one level of a batch without sharing: a block row a request. */
export function singleLevel(qoIndptr: Int32Array, pages: PageTable): KvLevel[] {
  return [{ rowIndptr: qoIndptr, pages }];
}

/** Requests that share a prefix. */
export interface PrefixGroup {
  /** Indices of the requests. */
  readonly requests: ArrayLike<number>;
  /** Pages of the prefix; all are full. */
  readonly pages: ArrayLike<number>;
}

/**
 * Two levels: prefixes shared by groups of requests, and what follows them.
 *
 * @param qoIndptr query tokens of each request, [numRequests + 1].
 * @param groups disjoint; a request in no group has no prefix.
 * @param suffixes a row a request: the KV after the prefix.
 */
export function sharedPrefixLevels(qoIndptr: ArrayLike<number>, groups: readonly PrefixGroup[], suffixes: PageTable): KvLevel[] {
  const indptr = checkIndptr("qoIndptr", qoIndptr);
  const seen = new Uint8Array(indptr.length - 1);
  const rowIndptr = new Int32Array(groups.length + 1);
  const rowIndices: number[] = [];
  const pageIndptr = new Int32Array(groups.length + 1);
  const pageIndices: number[] = [];
  const lastPageLen = new Int32Array(groups.length);
  groups.forEach(({ requests, pages }, i) => {
    for (let r = 0; r < requests.length; r++) {
      const request = requests[r];
      if (!(request >= 0 && request < seen.length) || seen[request]) {
        throw new InvalidArgumentError(
          `Cannot share a prefix: request ${request} of group ${i} ${request >= 0 && request < seen.length ? "is in a group already" : `is not among the ${seen.length} requests`}.`,
        );
      }
      seen[request] = 1;
      for (let token = indptr[request]; token < indptr[request + 1]; token++) rowIndices.push(token);
    }
    rowIndptr[i + 1] = rowIndices.length;
    for (let p = 0; p < pages.length; p++) pageIndices.push(pages[p]);
    pageIndptr[i + 1] = pageIndices.length;
    lastPageLen[i] = pages.length > 0 ? suffixes.pageSize : 0;
  });
  const prefix: PageTable = { indptr: pageIndptr, indices: toInt32("page table", "pages", pageIndices), lastPageLen, pageSize: suffixes.pageSize };
  return [{ rowIndptr, rowIndices: Int32Array.from(rowIndices), pages: prefix }, { rowIndptr: indptr, pages: suffixes }];
}

/**
 * Refuses damaged levels: rows out of range or listed twice, page sizes that differ, damaged page tables.
 *
 * @param numTokens query tokens of the batch.
 * @param numPages pages of the cache.
 */
export function checkLevels(levels: readonly KvLevel[], numTokens: number, numPages?: number): void {
  if (levels.length === 0) throw new InvalidArgumentError("Cannot use levels: there are none. Pass at least one.");
  levels.forEach(({ rowIndptr, rowIndices, pages }, level) => {
    checkIndptr(`rowIndptr of level ${level}`, rowIndptr);
    const numBlockRows = rowIndptr.length - 1;
    if (pages.indptr.length - 1 !== numBlockRows) {
      throw new InvalidArgumentError(`Cannot use level ${level}: it has ${numBlockRows} block rows and ${pages.indptr.length - 1} rows of pages. They must agree.`);
    }
    if (pages.pageSize !== levels[0].pages.pageSize) {
      throw new InvalidArgumentError(`Cannot use level ${level}: its page size is ${pages.pageSize}, that of level 0 is ${levels[0].pages.pageSize}. All levels share one cache.`);
    }
    checkPageTable(pages, numPages);
    const count = rowIndptr[numBlockRows];
    if (rowIndices === undefined) {
      if (count > numTokens) throw new InvalidArgumentError(`Cannot use level ${level}: its rows end at token ${count}, the batch has ${numTokens} tokens.`);
      return;
    }
    if (rowIndices.length < count) throw new InvalidArgumentError(`Cannot use level ${level}: rowIndptr ends with ${count}, rowIndices has ${rowIndices.length} entries.`);
    const seen = new Uint8Array(numTokens);
    for (let i = 0; i < count; i++) {
      const token = rowIndices[i];
      if (!(token >= 0 && token < numTokens)) throw new InvalidArgumentError(`Cannot use level ${level}: row ${token} is not among the ${numTokens} query tokens.`);
      if (seen[token]) throw new InvalidArgumentError(`Cannot use level ${level}: query token ${token} is listed twice.`);
      seen[token] = 1;
    }
  });
}

/**
 * Composable formats: a batch's KV as a list of levels, each a block-sparse matrix with block rows of its own height (FlashInfer paper,
 * section 3.1.2). A shared prefix is a level with tall block rows (many requests), a suffix one with short ones (one request each).
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { checkPageTable, kvLen, type PageTable, toInt32 } from "./page_table.ts";
import { checkIndptr } from "./ragged.ts";

/**
 * One level. Block row i is the query tokens `rowIndptr[i] .. rowIndptr[i + 1])`; all of them see the KV of row i of `pages`. Block rows hold
 * whole requests, and no request twice. A request's KV is that of its block rows at all levels, one after another.
 */
export interface KvLevel {
  /** [numBlockRows + 1] */
  readonly rowIndptr: Int32Array;
  /** Query tokens of the block rows, end to end; if absent, block row i is the tokens of that range themselves. A request's tokens stand together, in order. */
  readonly rowIndices?: Int32Array;
  /** One row a block row. */
  readonly pages: PageTable;
}

/** Requests that share a prefix. */
export interface PrefixGroup {
  /** Indices of the requests. */
  readonly requests: ArrayLike<number>;
  /** Pages of the prefix. */
  readonly pages: ArrayLike<number>;
  /** Tokens of the prefix; by default all its pages are full. */
  readonly kvLen?: number;
}

/** The one level of a batch without sharing: a block row a request. */
export function singleLevel(qoIndptr: Int32Array, pages: PageTable): KvLevel[] {
  return [{ rowIndptr: qoIndptr, pages }];
}

/**
 * Two levels: prefixes shared by groups of requests, and what follows them.
 *
 * @param qoIndptr query tokens of each request, [numRequests + 1].
 * @param groups disjoint; a request in no group has no prefix.
 * @param suffixes a row a request: the KV after the prefix.
 */
export function sharedPrefixLevels(
  qoIndptr: ArrayLike<number>,
  groups: readonly PrefixGroup[],
  suffixes: PageTable,
): KvLevel[] {
  const indptr = checkIndptr("qoIndptr", qoIndptr);
  const { pageSize } = suffixes;
  const seen = new Uint8Array(indptr.length - 1);
  const rowIndptr = new Int32Array(groups.length + 1);
  const rowIndices: number[] = [];
  const pageIndptr = new Int32Array(groups.length + 1);
  const pageIndices: number[] = [];
  const lastPageLen = new Int32Array(groups.length);
  groups.forEach(({ requests, pages, kvLen = pages.length * pageSize }, g) => {
    for (let r = 0; r < requests.length; r++) {
      const request = requests[r];
      const isInRange = Number.isInteger(request) && request >= 0 && request < seen.length;
      if (!isInRange || seen[request]) {
        throw new InvalidArgumentError(
          `Cannot share a prefix: request ${request} of group ${g} ${
            isInRange ? "is in a group already" : `is not among the ${seen.length} requests`
          }.`,
        );
      }
      seen[request] = 1;
      for (let token = indptr[request]; token < indptr[request + 1]; token++) rowIndices.push(token);
    }
    if (!Number.isInteger(kvLen) || kvLen < 0 || Math.ceil(kvLen / pageSize) !== pages.length) {
      throw new InvalidArgumentError(
        `Cannot share a prefix: group ${g} has ${kvLen} tokens and ${pages.length} pages of ${pageSize}. Pass the pages that the tokens fill.`,
      );
    }
    rowIndptr[g + 1] = rowIndices.length;
    for (let p = 0; p < pages.length; p++) pageIndices.push(pages[p]);
    pageIndptr[g + 1] = pageIndices.length;
    lastPageLen[g] = pages.length > 0 ? kvLen - (pages.length - 1) * pageSize : 0;
  });
  const prefixes: PageTable = {
    indptr: pageIndptr,
    indices: toInt32("page table", "pages", pageIndices),
    lastPageLen,
    pageSize,
  };
  return [{ rowIndptr, rowIndices: Int32Array.from(rowIndices), pages: prefixes }, {
    rowIndptr: indptr,
    pages: suffixes,
  }];
}

/**
 * Refuses damaged levels: tokens out of range or in two block rows, block rows that hold part of a request, page sizes that differ, damaged
 * page tables. The planner refuses the same; this names the place, and can check page ids too.
 *
 * @param qoIndptr query tokens of each request, [numRequests + 1].
 * @param numPages if given, page ids must be below it.
 */
export function checkLevels(levels: readonly KvLevel[], qoIndptr: Int32Array, numPages?: number): void {
  if (levels.length === 0) throw new InvalidArgumentError("Cannot use levels: there are none. Pass at least one.");
  checkIndptr("qoIndptr", qoIndptr);
  const requestOf = new Int32Array(qoIndptr[qoIndptr.length - 1]);
  for (let r = 0; r + 1 < qoIndptr.length; r++) requestOf.fill(r, qoIndptr[r], qoIndptr[r + 1]);
  levels.forEach((level, l) => {
    const { rowIndptr, pages } = level;
    checkIndptr(`rowIndptr of level ${l}`, rowIndptr);
    if (pages.indptr.length !== rowIndptr.length) {
      refuse(
        l,
        `it has ${rowIndptr.length - 1} block rows and ${pages.indptr.length - 1} rows of pages. They must agree.`,
      );
    }
    if (pages.pageSize !== levels[0].pages.pageSize) {
      refuse(
        l,
        `its page size is ${pages.pageSize}, that of level 0 is ${
          levels[0].pages.pageSize
        }. All levels share one cache.`,
      );
    }
    checkPageTable(pages, numPages);
    checkBlockRows(level, l, qoIndptr, requestOf);
  });
}

/** KV tokens of each request, all levels together: [numRequests]. The levels must be valid. */
export function kvLensOfLevels(levels: readonly KvLevel[], qoIndptr: Int32Array): Int32Array {
  const kvLens = new Int32Array(qoIndptr.length - 1);
  for (const { rowIndptr, rowIndices, pages } of levels) {
    for (let row = 0; row + 1 < rowIndptr.length; row++) {
      for (let i = rowIndptr[row]; i < rowIndptr[row + 1]; i++) {
        const token = rowIndices === undefined ? i : rowIndices[i];
        const request = requestOfToken(qoIndptr, token);
        if (qoIndptr[request] === token) kvLens[request] += kvLen(pages, row);
      }
    }
  }
  return kvLens;
}

/** The request that owns a query token, by binary search; requests without tokens own none. */
export function requestOfToken(qoIndptr: Int32Array, token: number): number {
  let low = 0;
  let high = qoIndptr.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (qoIndptr[middle] <= token) low = middle;
    else high = middle;
  }
  return low;
}

function checkBlockRows(
  { rowIndptr, rowIndices }: KvLevel,
  l: number,
  qoIndptr: Int32Array,
  requestOf: Int32Array,
): void {
  const numBlockRows = rowIndptr.length - 1;
  const count = rowIndptr[numBlockRows];
  const numTokens = requestOf.length;
  if (rowIndices === undefined && count > numTokens) {
    refuse(l, `its rows end at token ${count}, the batch has ${numTokens} tokens.`);
  }
  if (rowIndices !== undefined && rowIndices.length < count) {
    refuse(l, `rowIndptr ends with ${count}, rowIndices has ${rowIndices.length} entries.`);
  }
  const seen = new Uint8Array(numTokens);
  for (let row = 0; row < numBlockRows; row++) {
    for (let i = rowIndptr[row]; i < rowIndptr[row + 1];) {
      const first = rowIndices === undefined ? i : rowIndices[i];
      if (first < 0 || first >= numTokens) {
        refuse(l, `query token ${first} of block row ${row} is not among the ${numTokens} of the batch.`);
      }
      if (seen[first]) refuse(l, `query token ${first} is listed twice, the second time by block row ${row}.`);
      const request = requestOf[first];
      const begin = qoIndptr[request];
      const qoLen = qoIndptr[request + 1] - begin;
      for (let t = 0; t < qoLen; t++, i++) {
        const token = rowIndices === undefined ? i : rowIndices[i];
        if (i >= rowIndptr[row + 1] || token !== begin + t) {
          refuse(
            l,
            `block row ${row} lists token ${first} of request ${request}, but not its ${qoLen} tokens from ${begin} on, in order. A block row holds whole requests.`,
          );
        }
        seen[token] = 1;
      }
    }
  }
}

function refuse(level: number, why: string): never {
  throw new InvalidArgumentError(`Cannot use level ${level}: ${why}`);
}

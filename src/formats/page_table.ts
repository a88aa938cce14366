/**
 * Page tables as compressed sparse rows: which pages hold the KV of each row, and how full the last one is.
 *
 * Seen as block-sparse rows (FlashInfer paper, section 3.1.1), a page is a block column and `pageSize` is the block width. Dense and ragged K and
 * V are page tables too: `densePageTable`, `raggedPageTable`.
 *
 * @module
 */
import { InvalidArgumentError, PageError } from "../errors.ts";

/** The most KV tokens a request may have: positions and windows then add up within 32 bits. */
export const MAX_KV_TOKENS: number = 2 ** 30 - 1;

/** The largest page of the kernels, in tokens. */
export const MAX_PAGE_SIZE = 1024;

/** Rows of page ids. The fields are FlashInfer's `kv_indptr`, `kv_indices` and `kv_last_page_len`. */
export interface PageTable {
  /** [numRows + 1]: row i's pages are `indices[indptr[i] .. indptr[i + 1])`. Starts with 0. */
  readonly indptr: Int32Array;
  /** Page ids, row after row; entries from `indptr[numRows]` on are never read. */
  readonly indices: Int32Array;
  /** [numRows]: tokens in each row's last page, 1 to `pageSize`; 0 for a row without pages. */
  readonly lastPageLen: Int32Array;
  /** Tokens a page. */
  readonly pageSize: number;
}

/** A page table as FlashInfer's `plan` takes it. */
export interface KvCsr {
  /** [numRows + 1] */
  kvIndptr: ArrayLike<number>;
  /** [kvIndptr[numRows]] */
  kvIndices: ArrayLike<number>;
  /** [numRows]. FlashInfer users put any number for a row without pages; it counts as 0. */
  kvLastPageLen: ArrayLike<number>;
  /** Tokens a page. */
  pageSize: number;
}

/** Rows of a page table. */
export function numRows(table: PageTable): number {
  return table.indptr.length - 1;
}

/** KV tokens of a row. */
export function kvLen(table: PageTable, row: number): number {
  const numPages = table.indptr[row + 1] - table.indptr[row];
  return numPages === 0 ? 0 : (numPages - 1) * table.pageSize + table.lastPageLen[row];
}

/**
 * A page table from foreign arrays, checked. An `Int32Array` is used in place, not copied.
 *
 * @throws {InvalidArgumentError} naming the array, the row and the value that is wrong.
 */
export function pageTable(
  { indptr, indices, lastPageLen, pageSize }: {
    indptr: ArrayLike<number>;
    indices: ArrayLike<number>;
    lastPageLen: ArrayLike<number>;
    pageSize: number;
  },
): PageTable {
  const table = {
    indptr: toInt32("page table", "indptr", indptr),
    indices: toInt32("page table", "indices", indices),
    lastPageLen: toInt32("page table", "lastPageLen", lastPageLen),
    pageSize,
  };
  checkPageTable(table);
  return table;
}

/** A page table from FlashInfer's arrays, checked. An `Int32Array` is used in place, not copied. */
export function pageTableFromCsr({ kvIndptr, kvIndices, kvLastPageLen, pageSize }: KvCsr): PageTable {
  const indptr = toInt32("page table", "kvIndptr", kvIndptr);
  let lastPageLen = toInt32("page table", "kvLastPageLen", kvLastPageLen);
  for (let r = 0; r < lastPageLen.length && r + 1 < indptr.length; r++) {
    if (indptr[r] === indptr[r + 1] && lastPageLen[r] !== 0) {
      lastPageLen = lastPageLen.map((length, row) => indptr[row] === indptr[row + 1] ? 0 : length);
      break;
    }
  }
  return pageTable({ indptr, indices: kvIndices, lastPageLen, pageSize });
}

/**
 * A page table from one list of pages a row.
 *
 * @param kvLens KV tokens of each row; the row must list exactly the pages they fill.
 */
export function pageTableFromLists(
  lists: readonly ArrayLike<number>[],
  kvLens: ArrayLike<number>,
  pageSize: number,
): PageTable {
  checkPageSize(pageSize);
  if (lists.length !== kvLens.length) {
    throw new InvalidArgumentError(
      `Cannot make a page table: ${lists.length} page lists and ${kvLens.length} lengths. Pass one length a list.`,
    );
  }
  const indptr = new Int32Array(lists.length + 1);
  const lastPageLen = new Int32Array(lists.length);
  for (let r = 0; r < lists.length; r++) {
    const needed = Math.ceil(kvLens[r] / pageSize);
    if (!Number.isInteger(kvLens[r]) || kvLens[r] < 0 || lists[r].length !== needed) {
      throw new InvalidArgumentError(
        `Cannot make a page table: row ${r} has ${
          kvLens[r]
        } tokens, which need ${needed} pages of ${pageSize}, but lists ${lists[r].length}. ` +
          "Pass integers >= 0, and as many pages as the tokens fill.",
      );
    }
    indptr[r + 1] = indptr[r] + needed;
    lastPageLen[r] = needed === 0 ? 0 : kvLens[r] - (needed - 1) * pageSize;
  }
  const indices = new Int32Array(indptr[lists.length]);
  for (let r = 0; r < lists.length; r++) indices.set(toInt32("page table", `pages of row ${r}`, lists[r]), indptr[r]);
  return { indptr, indices, lastPageLen, pageSize };
}

/**
 * Dense keys and values, [numRows, maxKvTokens, numKvHeads, headDim], as a page table: seen as
 * [numPages, pageSize, numKvHeads, headDim] with the largest page that divides `maxKvTokens`.
 *
 * @param kvLens KV tokens in use of each row.
 */
export function densePageTable(kvLens: ArrayLike<number>, maxKvTokens: number): PageTable {
  if (!Number.isInteger(maxKvTokens) || maxKvTokens < 1 || maxKvTokens > MAX_KV_TOKENS) {
    throw new InvalidArgumentError(
      `Cannot see dense KV as pages: maxKvTokens is ${maxKvTokens}. Pass an integer from 1 to 2^30 - 1.`,
    );
  }
  const pageSize = largestPageSize(maxKvTokens);
  const pagesPerRow = maxKvTokens / pageSize;
  const lists = Array.from({ length: kvLens.length }, (_, r) => {
    if (!Number.isInteger(kvLens[r]) || kvLens[r] < 0 || kvLens[r] > maxKvTokens) {
      throw new InvalidArgumentError(
        `Cannot see dense KV as pages: row ${r} has ${kvLens[r]} tokens. Pass an integer from 0 to ${maxKvTokens}.`,
      );
    }
    return Int32Array.from({ length: Math.ceil(kvLens[r] / pageSize) }, (_, p) => r * pagesPerRow + p);
  });
  return pageTableFromLists(lists, kvLens, pageSize);
}

/** The largest page size that divides a number of tokens. */
export function largestPageSize(numTokens: number): number {
  let size = Math.min(numTokens, MAX_PAGE_SIZE);
  while (numTokens % size !== 0) size--;
  return size;
}

/**
 * Refuses a damaged page table.
 *
 * @param numPages if given, page ids must be below it.
 * @throws {InvalidArgumentError} naming the row and the value; {PageError} for a page id out of range.
 */
export function checkPageTable(table: PageTable, numPages?: number): void {
  const { indptr, indices, lastPageLen, pageSize } = table;
  const rows = indptr.length - 1;
  checkPageSize(pageSize);
  if (rows < 0 || indptr[0] !== 0) {
    refuse(
      rows < 0
        ? "indptr is empty. It needs one entry more than rows."
        : `indptr starts with ${indptr[0]}. It must start with 0.`,
    );
  }
  if (lastPageLen.length !== rows) {
    refuse(`indptr has ${rows} rows, lastPageLen ${lastPageLen.length} entries. Pass one entry a row.`);
  }
  for (let row = 0; row < rows; row++) {
    const count = indptr[row + 1] - indptr[row];
    if (count < 0) refuse(`indptr falls from ${indptr[row]} to ${indptr[row + 1]} at row ${row}. It must not fall.`);
    const last = lastPageLen[row];
    if (count === 0 ? last !== 0 : last < 1 || last > pageSize) {
      refuse(
        `lastPageLen of row ${row} is ${last} for ${count} pages. Expected ${count === 0 ? "0" : `1 to ${pageSize}`}.`,
      );
    }
    if (kvLen(table, row) > MAX_KV_TOKENS) {
      refuse(`row ${row} has ${kvLen(table, row)} KV tokens. At most 2^30 - 1 fit.`);
    }
  }
  if (indptr[rows] > indices.length) {
    refuse(`indptr ends with ${indptr[rows]}, but there are ${indices.length} page ids.`);
  }
  if (numPages !== undefined) checkPageIds(table, numPages);
}

/**
 * Refuses page ids out of range. One pass over all ids: about 0.4 ns each.
 *
 * @param numPages pages in the cache.
 * @throws {PageError} naming the row and the page.
 */
export function checkPageIds({ indptr, indices }: PageTable, numPages: number): void {
  const end = indptr[indptr.length - 1];
  for (let i = 0; i < end; i++) {
    if (indices[i] >= 0 && indices[i] < numPages) continue;
    let row = 0;
    while (indptr[row + 1] <= i) row++;
    throw new PageError(
      `Cannot use page table: page ${
        indices[i]
      } of row ${row} is not in the cache (${numPages} pages). Pass page ids from 0 to ${numPages - 1}.`,
    );
  }
}

/** Refuses a page size that the kernels don't have. */
export function checkPageSize(pageSize: number): void {
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
    refuse(`pageSize is ${pageSize}. Pass an integer from 1 to ${MAX_PAGE_SIZE}.`);
  }
}

/** A typed copy, unless it is one already. @throws {InvalidArgumentError} for a value that is no 32-bit integer. */
export function toInt32(what: string, name: string, source: ArrayLike<number>): Int32Array {
  if (source instanceof Int32Array) return source;
  const out = new Int32Array(source.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = source[i];
    if (out[i] !== source[i]) {
      throw new InvalidArgumentError(`Cannot make a ${what}: ${name}[${i}] is ${source[i]}. Pass integers below 2^31.`);
    }
  }
  return out;
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`Cannot use page table: ${why}`);
}

/**
 * Page tables as compressed sparse rows: which pages hold the KV of each row, and how full the last one is.
 *
 * Seen as block-sparse rows (FlashInfer paper, section 3.1.1), a page is a block column and `pageSize` is the block width.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";

/** Rows of page ids. The fields are FlashInfer's `kv_indptr`, `kv_indices` and `kv_last_page_len`. */
export interface PageTable {
  /** [numRows + 1]: row i's pages are `indices[indptr[i] .. indptr[i + 1])`. */
  readonly indptr: Int32Array;
  /** Page ids, row after row; entries from `indptr[numRows]` on are never read. */
  readonly indices: Int32Array;
  /** [numRows]: tokens in each row's last page, 1 to `pageSize`; 0 for a row without pages. */
  readonly lastPageLen: Int32Array;
  /** Tokens a page. */
  readonly pageSize: number;
}

/** Rows of a page table. */
export function numRows(table: PageTable): number {
  return table.indptr.length - 1;
}

/** KV tokens of a row. */
export function kvLen(table: PageTable, row: number): number {
  const pages = table.indptr[row + 1] - table.indptr[row];
  return pages === 0 ? 0 : (pages - 1) * table.pageSize + table.lastPageLen[row];
}

/**
 * A page table from foreign arrays, checked.
 *
 * @throws {InvalidArgumentError} naming the array, the row and the value that is wrong.
 */
export function pageTable(
  { indptr, indices, lastPageLen, pageSize }: { indptr: ArrayLike<number>; indices: ArrayLike<number>; lastPageLen: ArrayLike<number>; pageSize: number },
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

/**
 * A page table from one list of pages a row.
 *
 * @param kvLens KV tokens of each row.
 */
export function pageTableFromLists(lists: readonly ArrayLike<number>[], kvLens: ArrayLike<number>, pageSize: number): PageTable {
  if (lists.length !== kvLens.length) {
    throw new InvalidArgumentError(`Cannot make a page table: ${lists.length} page lists and ${kvLens.length} lengths. Pass one length a list.`);
  }
  const indptr = new Int32Array(lists.length + 1);
  const lastPageLen = new Int32Array(lists.length);
  for (let i = 0; i < lists.length; i++) {
    const needed = Math.ceil(kvLens[i] / pageSize);
    if (lists[i].length !== needed) {
      throw new InvalidArgumentError(`Cannot make a page table: row ${i} has ${kvLens[i]} tokens, which need ${needed} pages of ${pageSize}, but lists ${lists[i].length}.`);
    }
    indptr[i + 1] = indptr[i] + needed;
    lastPageLen[i] = needed === 0 ? 0 : kvLens[i] - (needed - 1) * pageSize;
  }
  const indices = new Int32Array(indptr[lists.length]);
  for (let i = 0; i < lists.length; i++) for (let p = 0; p < lists[i].length; p++) indices[indptr[i] + p] = lists[i][p];
  const table = { indptr, indices, lastPageLen, pageSize };
  checkPageTable(table);
  return table;
}

/**
 * Refuses a damaged page table.
 *
 * @param numPages if given, page ids must be below it.
 * @throws {InvalidArgumentError} naming the row and the value.
 */
export function checkPageTable(table: PageTable, numPages?: number): void {
  const { indptr, indices, lastPageLen, pageSize } = table;
  const rows = indptr.length - 1;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > 1024) refuse(`pageSize is ${pageSize}. Pass an integer from 1 to 1024.`);
  if (rows < 0 || indptr[0] !== 0) refuse(rows < 0 ? "indptr is empty. It needs one entry more than rows." : `indptr starts with ${indptr[0]}. It must start with 0.`);
  if (lastPageLen.length !== rows) refuse(`indptr has ${rows} rows, lastPageLen ${lastPageLen.length} entries. Pass one entry a row.`);
  for (let row = 0; row < rows; row++) {
    const count = indptr[row + 1] - indptr[row];
    if (count < 0) refuse(`indptr falls from ${indptr[row]} to ${indptr[row + 1]} at row ${row}. It must not fall.`);
    const last = lastPageLen[row];
    if (count === 0 ? last !== 0 : last < 1 || last > pageSize) {
      refuse(`lastPageLen of row ${row} is ${last} for ${count} pages. Expected ${count === 0 ? "0" : `1 to ${pageSize}`}.`);
    }
  }
  if (indptr[rows] > indices.length) refuse(`indptr ends with ${indptr[rows]}, but there are ${indices.length} page ids.`);
  if (numPages === undefined) return;
  const used = indptr[rows];
  for (let i = 0; i < used; i++) {
    if (indices[i] < 0 || indices[i] >= numPages) {
      let row = 0;
      while (indptr[row + 1] <= i) row++;
      refuse(`page ${indices[i]} of row ${row} is not in the cache, which has ${numPages} pages.`);
    }
  }
}

/** A typed copy, unless it is one already. @throws {InvalidArgumentError} for a value that is no 32-bit integer. */
export function toInt32(what: string, name: string, source: ArrayLike<number>): Int32Array {
  if (source instanceof Int32Array) return source;
  const out = new Int32Array(source.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = source[i];
    if (out[i] !== source[i]) throw new InvalidArgumentError(`Cannot make a ${what}: ${name}[${i}] is ${source[i]}. Pass integers below 2^31.`);
  }
  return out;
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`Cannot use page table: ${why}`);
}

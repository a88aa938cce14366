/**
 * Block-sparse rows: the one format behind all others (FlashInfer paper, section 3.1.1). The query tokens are cut into block rows of height R, the
 * KV tokens into block columns of width C; `indices` lists the blocks of each row that are present.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { KvLevel } from "./levels.ts";
import { largestPageSize, toInt32 } from "./page_table.ts";
import { checkIndptr } from "./ragged.ts";

/** A block-sparse attention pattern. */
export interface BlockSparseMatrix {
  /** Query tokens; need not be a multiple of `blockRows`. */
  numTokens: number;
  /** KV tokens; need not be a multiple of `blockCols`. */
  numKvTokens: number;
  /** Height R of a block, in query tokens. */
  blockRows: number;
  /** Width C of a block, in KV tokens. */
  blockCols: number;
  /** [ceil(numTokens / R) + 1] */
  indptr: ArrayLike<number>;
  /** Block columns of each block row, rising within a row. */
  indices: ArrayLike<number>;
}

/**
 * The pattern as a level over dense K and V, [numKvTokens, numKvHeads, headDim], seen as pages of C tokens (a block wider than the largest page is
 * several pages).
 *
 * Each block row is a request of its own: plan it with `qoIndptr: level.rowIndptr`. Keys of a row are renumbered without the gaps, so plan
 * it without `causal` and windows: the blocks say all that is seen.
 *
 * @throws {InvalidArgumentError} naming the row and the block that are wrong.
 */
export function blockSparseLevel(matrix: BlockSparseMatrix): KvLevel {
  const { numTokens, numKvTokens, blockRows, blockCols } = matrix;
  expectInteger("numTokens", numTokens, 0);
  expectInteger("numKvTokens", numKvTokens, 0);
  expectInteger("blockRows", blockRows, 1);
  expectInteger("blockCols", blockCols, 1);
  const numRows = Math.ceil(numTokens / blockRows);
  const numCols = Math.ceil(numKvTokens / blockCols);
  const indptr = checkIndptr("indptr of a block-sparse matrix", matrix.indptr);
  const indices = toInt32("block-sparse matrix", "indices", matrix.indices);
  if (indptr.length !== numRows + 1) {
    refuse(`indptr has ${indptr.length} entries, ${numRows} block rows need ${numRows + 1}.`);
  }
  if (indptr[numRows] > indices.length) {
    refuse(`indptr ends with ${indptr[numRows]}, there are ${indices.length} indices.`);
  }
  const pageSize = largestPageSize(blockCols);
  const rowIndptr = new Int32Array(numRows + 1);
  const pageIndptr = new Int32Array(numRows + 1);
  const lastPageLen = new Int32Array(numRows);
  const pages = new Int32Array(indptr[numRows] * (blockCols / pageSize));
  let numPages = 0;
  for (let row = 0; row < numRows; row++) {
    rowIndptr[row + 1] = Math.min((row + 1) * blockRows, numTokens);
    for (let i = indptr[row]; i < indptr[row + 1]; i++) {
      if (indices[i] < 0 || indices[i] >= numCols || (i > indptr[row] && indices[i] <= indices[i - 1])) {
        refuse(`block column ${indices[i]} of block row ${row} must be below ${numCols} and above the one before it.`);
      }
      // Only the last block column can be narrower, and it stands last as columns rise: every page before a row's last is full.
      const end = Math.min((indices[i] + 1) * blockCols, numKvTokens);
      for (let token = indices[i] * blockCols; token < end; token += pageSize) {
        pages[numPages++] = token / pageSize;
        lastPageLen[row] = Math.min(pageSize, end - token);
      }
    }
    pageIndptr[row + 1] = numPages;
  }
  return { rowIndptr, pages: { indptr: pageIndptr, indices: pages.subarray(0, numPages), lastPageLen, pageSize } };
}

function expectInteger(name: string, value: number, min: number): void {
  if (!Number.isInteger(value) || value < min || value > 0x7fffffff) {
    refuse(`${name} is ${value}. Pass an integer >= ${min}.`);
  }
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`Cannot use block-sparse matrix: ${why}`);
}

/**
 * Block-sparse rows: the one format behind all others (FlashInfer paper, section 3.1.1). The query tokens are cut into block rows of height R, the
 * KV tokens into block columns of width C; `indices` lists the blocks of each row that are present.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { KvLevel } from "./levels.ts";
import { toInt32 } from "./page_table.ts";
import { checkIndptr } from "./ragged.ts";

/** A block-sparse attention pattern. */
export interface BlockSparseMatrix {
  /** Query tokens; need not be a multiple of `blockRows`. */
  numTokens: number;
  /** KV tokens; need not be a multiple of `blockCols`. */
  numKvTokens: number;
  /** Height R of a block, in query tokens. */
  blockRows: number;
  /** Width C of a block, in KV tokens, 1 to 1024. */
  blockCols: number;
  /** [ceil(numTokens / R) + 1] */
  indptr: ArrayLike<number>;
  /** Block columns of each block row, rising within a row. */
  indices: ArrayLike<number>;
}

/**
 * The pattern as a level over dense K and V ([numKvTokens, numKvHeads, headDim], seen as pages of C tokens). Plan it without `causal`: the blocks
 * say all that is seen.
 *
 * @throws {InvalidArgumentError} naming the row and the block that are wrong.
 */
export function blockSparseLevel(matrix: BlockSparseMatrix): KvLevel {
  const { numTokens, numKvTokens, blockRows, blockCols } = matrix;
  for (const [name, value, max] of [["blockRows", blockRows, 0x7fffffff], ["blockCols", blockCols, 1024]] as const) {
    if (!Number.isInteger(value) || value < 1 || value > max) throw new InvalidArgumentError(`Cannot use block-sparse matrix: ${name} is ${value}. Pass an integer from 1 to ${max}.`);
  }
  const numRows = Math.ceil(numTokens / blockRows);
  const numCols = Math.ceil(numKvTokens / blockCols);
  const indptr = checkIndptr("indptr of a block-sparse matrix", matrix.indptr);
  const indices = toInt32("block-sparse matrix", "indices", matrix.indices);
  if (indptr.length !== numRows + 1) throw new InvalidArgumentError(`Cannot use block-sparse matrix: indptr has ${indptr.length} entries, ${numRows} block rows need ${numRows + 1}.`);
  if (indptr[numRows] > indices.length) throw new InvalidArgumentError(`Cannot use block-sparse matrix: indptr ends with ${indptr[numRows]}, there are ${indices.length} indices.`);
  const rowIndptr = new Int32Array(numRows + 1);
  const lastPageLen = new Int32Array(numRows);
  for (let row = 0; row < numRows; row++) {
    rowIndptr[row + 1] = Math.min((row + 1) * blockRows, numTokens);
    for (let i = indptr[row]; i < indptr[row + 1]; i++) {
      if (indices[i] < 0 || indices[i] >= numCols || (i > indptr[row] && indices[i] <= indices[i - 1])) {
        throw new InvalidArgumentError(`Cannot use block-sparse matrix: block column ${indices[i]} of block row ${row} must be below ${numCols} and above the one before it.`);
      }
    }
    if (indptr[row + 1] > indptr[row]) {
      // Only the last block column can be narrower, and it stands last as columns rise.
      lastPageLen[row] = indices[indptr[row + 1] - 1] === numCols - 1 ? numKvTokens - (numCols - 1) * blockCols : blockCols;
    }
  }
  return { rowIndptr, pages: { indptr, indices, lastPageLen, pageSize: blockCols } };
}

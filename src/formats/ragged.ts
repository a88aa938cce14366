/**
 * Ragged tensors: rows of different lengths laid end to end, and the `indptr` that says where each begins.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { checkPageSize, type PageTable, toInt32 } from "./page_table.ts";

/** Offsets from lengths: [n + 1], starting with 0. @throws {InvalidArgumentError} for a length that is no integer >= 0, or a sum past 2^31 - 1. */
export function indptrOf(lengths: ArrayLike<number>): Int32Array {
  const indptr = new Int32Array(lengths.length + 1);
  let end = 0;
  for (let i = 0; i < lengths.length; i++) {
    if (!Number.isInteger(lengths[i]) || lengths[i] < 0) {
      throw new InvalidArgumentError(`Cannot make an indptr: length ${i} is ${lengths[i]}. Pass integers >= 0.`);
    }
    end += lengths[i];
    if (end > 0x7fffffff) {
      throw new InvalidArgumentError(
        `Cannot make an indptr: the first ${i + 1} lengths sum to ${end}. At most 2^31 - 1 fit.`,
      );
    }
    indptr[i + 1] = end;
  }
  return indptr;
}

/** Lengths from offsets: [n]. */
export function lengthsOf(indptr: ArrayLike<number>): Int32Array {
  const lengths = new Int32Array(Math.max(0, indptr.length - 1));
  for (let i = 0; i < lengths.length; i++) lengths[i] = indptr[i + 1] - indptr[i];
  return lengths;
}

/**
 * Refuses an indptr that does not start with 0 or falls.
 *
 * @param name for the message.
 * @returns `source`, as an `Int32Array`.
 */
export function checkIndptr(name: string, source: ArrayLike<number>): Int32Array {
  const indptr = toInt32("ragged tensor", name, source);
  if (indptr.length === 0 || indptr[0] !== 0) {
    throw new InvalidArgumentError(
      `Cannot use ${name}: it ${indptr.length === 0 ? "is empty" : `starts with ${indptr[0]}`}. It must start with 0.`,
    );
  }
  for (let i = 1; i < indptr.length; i++) {
    if (indptr[i] < indptr[i - 1]) {
      throw new InvalidArgumentError(
        `Cannot use ${name}: it falls from ${indptr[i - 1]} to ${indptr[i]} at entry ${i}. It must not fall.`,
      );
    }
  }
  return indptr;
}

/**
 * Ragged keys and values, [totalKvTokens, numKvHeads, headDim], as a page table over the tensor itself, seen as
 * [totalKvTokens / pageSize, pageSize, numKvHeads, headDim]: row i's KV tokens are `kvIndptr[i] .. kvIndptr[i + 1])`.
 *
 * @param pageSize 1 by default, which always fits. A larger one is read faster, but every row must begin at a multiple of it.
 */
export function raggedPageTable(kvIndptr: ArrayLike<number>, pageSize = 1): PageTable {
  checkPageSize(pageSize);
  const starts = checkIndptr("kvIndptr", kvIndptr);
  const rows = starts.length - 1;
  const indptr = new Int32Array(rows + 1);
  const lastPageLen = new Int32Array(rows);
  for (let r = 0; r < rows; r++) {
    const length = starts[r + 1] - starts[r];
    if (length > 0 && starts[r] % pageSize !== 0) {
      throw new InvalidArgumentError(
        `Cannot see ragged KV as pages of ${pageSize}: row ${r} begins at token ${
          starts[r]
        }, which is no multiple of it. Pass pageSize 1.`,
      );
    }
    const numPages = Math.ceil(length / pageSize);
    indptr[r + 1] = indptr[r] + numPages;
    lastPageLen[r] = length === 0 ? 0 : length - (numPages - 1) * pageSize;
  }
  const indices = new Int32Array(indptr[rows]);
  for (let r = 0; r < rows; r++) {
    for (let p = indptr[r]; p < indptr[r + 1]; p++) indices[p] = starts[r] / pageSize + p - indptr[r];
  }
  return { indptr, indices, lastPageLen, pageSize };
}

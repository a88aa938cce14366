/**
 * Ragged tensors: rows of different lengths laid end to end, found by an indptr.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { type PageTable, toInt32 } from "./page_table.ts";

/** Offsets from lengths: [n + 1], starting with 0. */
export function indptrOf(lengths: ArrayLike<number>): Int32Array {
  const indptr = new Int32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) {
    if (!Number.isInteger(lengths[i]) || lengths[i] < 0) {
      throw new InvalidArgumentError(`Cannot make an indptr: length ${i} is ${lengths[i]}. Pass integers >= 0.`);
    }
    indptr[i + 1] = indptr[i] + lengths[i];
  }
  return indptr;
}

/** Refuses an indptr that does not start with 0 or falls. `name` is for the message. */
export function checkIndptr(name: string, source: ArrayLike<number>): Int32Array {
  const indptr = toInt32("ragged tensor", name, source);
  if (indptr.length === 0 || indptr[0] !== 0) {
    throw new InvalidArgumentError(`Cannot use ${name}: it ${indptr.length === 0 ? "is empty" : `starts with ${indptr[0]}`}. It must start with 0.`);
  }
  for (let i = 1; i < indptr.length; i++) {
    if (indptr[i] < indptr[i - 1]) throw new InvalidArgumentError(`Cannot use ${name}: it falls from ${indptr[i - 1]} to ${indptr[i]} at entry ${i}. It must not fall.`);
  }
  return indptr;
}

/**
 * Ragged keys and values as a page table with pages of one token: request i's KV tokens are rows `kvIndptr[i] .. kvIndptr[i + 1]` of K and V.
 */
export function raggedPageTable(kvIndptr: ArrayLike<number>): PageTable {
  const indptr = checkIndptr("kvIndptr", kvIndptr);
  const rows = indptr.length - 1;
  const indices = Int32Array.from({ length: indptr[rows] }, (_, i) => i);
  const lastPageLen = new Int32Array(rows);
  for (let i = 0; i < rows; i++) lastPageLen[i] = indptr[i + 1] > indptr[i] ? 1 : 0;
  return { indptr, indices, lastPageLen, pageSize: 1 };
}

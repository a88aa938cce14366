/**
 * Checks of a batch's arrays before it is planned.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { KvLevel } from "../formats/levels.ts";
import type { PageTable } from "../formats/page_table.ts";
import type { CustomMask } from "./custom_mask.ts";

/** Page ids go to the device as they lie in memory: an array of another type would be read as garbage. */
function expectInt32(name: string, array: unknown): void {
  if (!(array instanceof Int32Array)) {
    throw new InvalidArgumentError(
      `Cannot plan: the page table's ${name} is no Int32Array. Make the table with pageTable(), which takes any array.`,
    );
  }
}

/** The largest page id in use; -1 if none is. @throws {InvalidArgumentError} for a negative one. */
export function maxPageOf(pages: PageTable | undefined, levels: readonly KvLevel[] | undefined): number {
  let max = -1;
  for (
    const table of levels === undefined ? (pages === undefined ? [] : [pages]) : levels.map((level) => level.pages)
  ) {
    const { indices, indptr, lastPageLen } = table;
    expectInt32("indptr", indptr);
    expectInt32("indices", indices);
    expectInt32("lastPageLen", lastPageLen);
    const count = Math.min(indptr[indptr.length - 1], indices.length);
    let min = 0;
    for (let i = 0; i < count; i++) {
      const page = indices[i];
      if (page > max) max = page;
      if (page < min) min = page;
    }
    if (min < 0) throw new InvalidArgumentError(`Cannot plan: the page table lists page ${min}. Page ids are >= 0.`);
  }
  return max;
}

/** Refuses a mask whose offsets do not fit the batch or its bits. The planner checks each request's own length. */
export function checkMask({ bits, indptr }: CustomMask, numRequests: number): void {
  if (indptr.length !== numRequests + 1 || indptr[0] !== 0 || indptr[numRequests] > bits.length) {
    throw new InvalidArgumentError(
      `Cannot plan: the custom mask's indptr has ${indptr.length} entries from ${indptr[0]} to ${
        indptr[indptr.length - 1]
      } for ${bits.length} bytes. ` +
        `It needs ${numRequests + 1} entries from 0 to at most the number of bytes.`,
    );
  }
}

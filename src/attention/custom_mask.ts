/**
 * Custom masks: one bit for each query and key, packed as kernels read them.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";

/** Packed masks of a batch. */
export interface CustomMask {
  /** The requests' masks end to end; each is `qoLen x kvLen` bits, row by row, lowest bit first, padded to a whole byte. */
  readonly bits: Uint8Array;
  /** First byte of each request's mask: [numRequests + 1]. A request with no bytes has none. */
  readonly indptr: Int32Array;
}

/**
 * Packs masks of a batch.
 *
 * @param masks one a request, `qoLen x kvLen` entries row by row (anything truthy lets the query see the key), or null for no mask.
 */
export function packCustomMask(masks: readonly (ArrayLike<boolean | number> | null)[]): CustomMask {
  const indptr = new Int32Array(masks.length + 1);
  masks.forEach((mask, i) => {
    const end = indptr[i] + Math.ceil((mask?.length ?? 0) / 8);
    if (end > 0x7fffffff) {
      throw new InvalidArgumentError(
        `Cannot pack masks: the first ${i + 1} have ${end} bytes. All together must stay below 2^31.`,
      );
    }
    indptr[i + 1] = end;
  });
  const bits = new Uint8Array(indptr[masks.length]);
  masks.forEach((mask, i) => {
    if (mask === null) return;
    for (let bit = 0; bit < mask.length; bit++) if (mask[bit]) bits[indptr[i] + (bit >> 3)] |= 1 << (bit & 7);
  });
  return { bits, indptr };
}

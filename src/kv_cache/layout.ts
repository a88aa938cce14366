/**
 * How one page's memory is laid out.
 *
 * @module
 */

/** `"NHD"`: [page, token, head, dim]. `"HND"`: [page, head, token, dim]. */
export type KvLayout = "NHD" | "HND";

/** Distances in elements. */
export interface KvStrides {
  /** From a page to the next. */
  readonly page: number;
  /** From a token of a page to the next. */
  readonly token: number;
  /** From a head to the next. */
  readonly head: number;
}

/** The strides of a dense page pool. `dim`: elements of one head. */
export function kvStrides(kvLayout: KvLayout, pageSize: number, numKvHeads: number, dim: number): KvStrides {
  const page = pageSize * numKvHeads * dim;
  return kvLayout === "NHD" ? { page, token: numKvHeads * dim, head: dim } : { page, token: dim, head: pageSize * dim };
}

/**
 * Room for a plan: the layout that holds a batch. With a capacity it is made once, and a batch beyond it is refused. Without one it grows with the
 * batches, and gets small again some time after a large one.
 *
 * @module
 */
import type { PageTable } from "../formats/page_table.ts";
import {
  boundsOfExtent,
  fitsLayout,
  grownBounds,
  layoutOfBounds,
  type PieceBounds,
  type PlanBounds,
  type PlanLayout,
} from "../plan_buffers/layout.ts";
import type { Pieces } from "./pieces.ts";
import type { PlanState } from "./plan_state.ts";
import { type CheckedConfig, checkFitsCapacity, checkKvFitsCapacity } from "./problem.ts";
import { mayHaveStarts } from "./starts.ts";

/** A layout of fewer tokens is not worth making small. */
const MIN_TOKENS_TO_SHRINK = 256;
/** So many batches must be small before the layout follows. */
const SMALL_BATCHES_TO_SHRINK = 32;

/** Keeps one planner's layout large enough. */
export class PlanRoom {
  readonly #config: CheckedConfig;
  /** The extent that the layout was last seen to hold; -1 before the first plan. */
  #fittedTokens = -1;
  #fittedRequests = -1;
  /** 0: one level without shared rows. */
  #fittedLevels = -1;
  #fittedKvIndices = -1;
  /** Batches in turn with less than a quarter of those tokens. */
  #numSmallBatches = 0;

  /** For plans of one config. */
  constructor(config: CheckedConfig) {
    this.#config = config;
  }

  /** Bounds of the capacity, or without one of a small batch. `pieces`: of batch-invariant plans. */
  firstBounds(pieces: Pieces | undefined): PlanBounds {
    const { capacity } = this.#config;
    if (capacity === undefined) {
      const bounds = pieces?.bounds(16, 16, 16, 0);
      return grownBounds(undefined, this.#bounds(16, 16, 16, 1, false, 256, bounds));
    }
    const { maxTokens, maxRequests, maxQoLen, maxLevels, maxPages, maxKvLen } = capacity;
    const bounds = pieces?.bounds(maxTokens, maxRequests, maxQoLen, maxKvLen);
    return this.#bounds(maxTokens, maxRequests, maxQoLen, maxLevels, maxLevels > 1, maxPages, bounds);
  }

  /**
   * Makes the layout hold a batch: checks the capacity, or grows. The common case, a batch no larger than one before, returns at once.
   *
   * @throws {CapacityError} for a batch beyond the capacity.
   */
  makeFor(
    state: PlanState,
    qoIndptr: Int32Array,
    numLevels: number,
    composes: boolean,
    numKvIndices: number,
  ): void {
    const { capacity } = this.#config;
    if (capacity !== undefined) {
      // The bounds of two levels hold for one with shared rows too.
      checkFitsCapacity(capacity, qoIndptr, numKvIndices, composes ? Math.max(2, numLevels) : 1);
      return;
    }
    const numRequests = qoIndptr.length - 1;
    const numTokens = qoIndptr[numRequests];
    const fittedLevels = composes ? numLevels : 0;
    const fits = numTokens <= this.#fittedTokens && numRequests <= this.#fittedRequests &&
      fittedLevels <= this.#fittedLevels && numKvIndices <= this.#fittedKvIndices;
    if (fits && !this.#hasBeenLargeForLong(numTokens)) return;
    const needed = this.#bounds(numTokens, numRequests, numTokens, numLevels, composes, numKvIndices);
    if (fits) layOut(state, undefined, needed);
    else growTo(state, needed);
    this.#fittedTokens = numTokens;
    this.#fittedRequests = numRequests;
    this.#fittedLevels = fittedLevels;
    // No other bound follows from the page ids, so that a batch whose requests only grow comes here but seldom.
    this.#fittedKvIndices = state.layout.maxKvIndices;
  }

  /** The same for a batch-invariant plan, whose pieces are as many as its requests are long. @throws as `makeFor`. */
  makeForPieces(
    state: PlanState,
    pieces: Pieces,
    qoIndptr: Int32Array,
    { indptr, lastPageLen, pageSize }: PageTable,
  ): void {
    const { capacity } = this.#config;
    const numRequests = qoIndptr.length - 1;
    const numTokens = qoIndptr[numRequests];
    const kvLenOf = (r: number): number =>
      indptr[r] === indptr[r + 1] ? 0 : (indptr[r + 1] - indptr[r] - 1) * pageSize + lastPageLen[r];
    if (capacity !== undefined) {
      checkFitsCapacity(capacity, qoIndptr, indptr[numRequests], 1);
      for (let r = 0; r < numRequests; r++) checkKvFitsCapacity(capacity, kvLenOf(r));
      return;
    }
    const bounds = pieces.boundsOf(qoIndptr, kvLenOf);
    growTo(state, this.#bounds(numTokens, numRequests, numTokens, 1, false, indptr[numRequests], bounds));
  }

  /**
   * True if the layout has been far too large for many batches in turn: each upload copies all of it, so after a large batch it must get small
   * again.
   */
  #hasBeenLargeForLong(numTokens: number): boolean {
    if (this.#fittedTokens < MIN_TOKENS_TO_SHRINK || 4 * numTokens > this.#fittedTokens) {
      this.#numSmallBatches = 0;
    } else if (++this.#numSmallBatches === SMALL_BATCHES_TO_SHRINK) {
      this.#numSmallBatches = 0;
      return true;
    }
    return false;
  }

  #bounds(
    maxTokens: number,
    maxRequests: number,
    maxQoLen: number,
    maxLevels: number,
    sharesRows: boolean,
    maxKvIndices: number,
    pieces?: PieceBounds,
  ): PlanBounds {
    const { numKvHeads, groupSize, limits: { numCtas, prefillCtas, decodeRows, prefillRows } } = this.#config;
    return boundsOfExtent({
      numCtas,
      prefillCtas,
      numStarts: mayHaveStarts(this.#config) ? numCtas : 0,
      numKvHeads,
      groupSize,
      decodeRows,
      prefillRows,
      maxTokens,
      maxRequests,
      maxQoLen,
      maxLevels,
      sharesRows,
      maxKvIndices,
      pieces,
    });
  }
}

function growTo(state: PlanState, needed: PlanBounds): void {
  if (!fitsLayout(state.layout, needed)) layOut(state, state.layout, needed);
}

/** A layout, and words for it. What lies where changes, so the words are new: some are never written but as 0. */
function layOut(state: PlanState, before: PlanLayout | undefined, needed: PlanBounds): void {
  state.layout = layoutOfBounds(grownBounds(before, needed));
  state.words = new Int32Array(state.layout.numPlanWords);
}

/**
 * Where a batch-invariant plan cuts a request: at places that follow from the request and the planner's config, and from nothing else of the batch.
 *
 * Two runs that cut the KV of a row at other places add up the same numbers in another order, and differ in the last bits. A plan whose cuts are
 * where shares end has its cuts moved by every other request. Here a *piece* is all that one CTA does of a unit (a tile's work for one KV head)
 * at a time, and the length of pieces is the larger of two, in steps of the tile's class:
 *
 * - *Worth a cut*: so many that starting an item and writing and merging its partial rows, which is what a piece adds, costs no more than half of
 * walking them, for a decode tile, and an eighth for a prefill tile: small batches of decode tiles leave CTAs idle if nothing is cut. That is
 * about what invariance costs a full batch, in which nothing would have to be cut (the pieces at a unit's ends may be shorter, and cost more for their
 * length).
 * - *Enough for one*: so many that the request, were it alone, has two pieces for each CTA. So a long request alone keeps every CTA busy, and such a
 *   length is no more than half of an equal share of any batch that the request is in. It bounds the number of pieces, and with it the workspace.
 *
 * The cuts are at the multiples of that length, counted from token 0 of the request's KV, that lie within what the tile sees, causal mask and window
 * considered, and leave a smallest piece (see `minStepsOfPiece`) on both sides. A unit no longer than one piece is not cut.
 *
 * Worked example (GPU costs, 264 CTAs, 8 KV heads, a decode tile of 4 rows): an item and its partial rows cost 128 + 2 x 4 = 136, so that 2 x 136 = 272
 * tokens, 5 steps of 64, are worth a cut. Of a request of 256 tokens nothing is cut. One of 8192 tokens is 128 steps a unit, 1024 in all, two for
 * each of 528 pieces; 5 are the larger, so that each unit has 26 pieces, 208 in all. One of 131072 tokens: 2048 steps a unit, and 16384 / 528
 * rounded up is 32: 64 pieces a unit, 512 in all.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { PieceBounds, PlanLayout } from "../plan_buffers/layout.ts";
import { minStepsOfPiece } from "./cost.ts";
import type { CheckedConfig } from "./problem.ts";
import { TILE_DECODE, TILE_PREFILL, type TileList, type TileTable } from "./tiles.ts";

const {
  words: TILE_WORDS,
  tileClass: TILE_CLASS,
  numTokens: TILE_NUM_TOKENS,
  qoPosBegin: TILE_QO_POS_BEGIN,
  kvLen: TILE_KV_LEN,
} = ROW_TILE;

/** What a piece adds costs at most one part in so many of what it walks, by class of its tile: decode, prefill. */
const WORTH = [2, 8];
/** Pieces that a request alone has for each CTA, at most and if it is long enough. */
const PIECES_PER_CTA = 2;

/** Cuts the tiles of a plan. Its arrays grow with the batch and stay. */
export class Pieces {
  /** Steps of a piece, by tile. */
  pieceSteps: Int32Array = new Int32Array(0);
  /** Cuts of a unit of each tile lie at the multiples of its `pieceSteps` from this one ... */
  firstCut: Int32Array = new Int32Array(0);
  /** ... on, so many: a unit has one piece more. */
  numCuts: Int32Array = new Int32Array(0);
  /** Cost of the tiles in the shares, cut: items and partial rows of pieces included. */
  shareCost = 0;
  readonly #config: CheckedConfig;
  readonly #table: TileTable;
  /** [2, #stride]: the fewest steps of a piece, and those that are worth a cut, by class and tokens of a tile. */
  readonly #minSteps: Int32Array;
  readonly #worthSteps: Int32Array;
  readonly #stride: number;
  /** A unit has at most this many pieces more than whole lengths fit in: a cut may lie near its first step, if a window begins it. */
  readonly #ends: number;

  /** For plans of one config. */
  constructor(config: CheckedConfig, table: TileTable) {
    const { groupSize, limits, costs, windowLeft } = config;
    this.#config = config;
    this.#table = table;
    this.#ends = windowLeft < 0 ? 1 : 2;
    const stride = Math.floor(Math.max(limits.decodeRows, limits.prefillRows) / groupSize) + 1;
    this.#stride = stride;
    this.#minSteps = new Int32Array(2 * stride);
    this.#worthSteps = new Int32Array(2 * stride);
    for (let i = 0; i < 2 * stride; i++) {
      const isPrefill = i >= stride;
      const numRows = (i % stride) * groupSize;
      const stepCost = isPrefill ? limits.prefillKvTile * costs.prefillToken : limits.decodeKvTile * costs.decodeToken;
      const itemCost = isPrefill ? costs.prefillItem : costs.decodeItem;
      const worth = WORTH[isPrefill ? TILE_PREFILL : TILE_DECODE];
      this.#minSteps[i] = minStepsOfPiece(stepCost, itemCost, numRows, costs.partialRow);
      this.#worthSteps[i] = minStepsOfPiece(stepCost, worth * itemCost, numRows, worth * costs.partialRow);
    }
  }

  /** Decides where the tiles are cut, after `tiles.measure()`. A request's tiles are neighbours. */
  cut(words: Int32Array, { tilesOffset, maxTiles }: PlanLayout, tiles: TileList): void {
    this.#reserve(maxTiles);
    this.shareCost = 0;
    for (let begin = 0; begin < tiles.count;) {
      // The last tile of a request ends with its last token, whose position is the last of its KV.
      let end = begin;
      let at = tilesOffset + begin * TILE_WORDS;
      let sharedCost = 0;
      let queuedCost = 0;
      for (let isLast = false; !isLast; at += TILE_WORDS, end++) {
        isLast = words[at + TILE_QO_POS_BEGIN] + words[at + TILE_NUM_TOKENS] === words[at + TILE_KV_LEN];
        const isPrefill = words[at + TILE_CLASS] === TILE_PREFILL;
        const cost = tiles.numSteps[end] * this.#stepCost(isPrefill);
        if (this.#isQueued(isPrefill)) queuedCost += cost;
        else sharedCost += cost;
      }
      at = tilesOffset + begin * TILE_WORDS;
      for (let tile = begin; tile < end; tile++, at += TILE_WORDS) {
        const isPrefill = words[at + TILE_CLASS] === TILE_PREFILL;
        const cost = this.#isQueued(isPrefill) ? queuedCost : sharedCost;
        this.#cutTile(tiles, tile, isPrefill, words[at + TILE_NUM_TOKENS], cost);
      }
      begin = end;
    }
  }

  /** Cost of a piece of a cut unit beside that of its steps. */
  pieceCost(isPrefill: boolean, numTokens: number): number {
    const { costs, groupSize } = this.#config;
    return (isPrefill ? costs.prefillItem : costs.decodeItem) + costs.partialRow * numTokens * groupSize;
  }

  /**
   * The worst case of any batch of `maxRequests` requests with `maxTokens` query tokens in all, each of up to `maxQoLen` query and `maxKvLen` KV
   * tokens.
   *
   * Say a request's tiles of one part (shares or queue) have U steps together, there are H KV heads, and C CTAs take the part. The length of pieces is
   * U x H / 2 C steps or more, and a unit's last cut leaves some steps behind it. So all cuts of a KV head together, not counting one a tile that a
   * window begins, are fewer than 2 C / H (`whole` at most), and those of a single tile no more than the lengths that fit in its KV with a step to
   * spare. A unit that is cut is longer than that length: no more than `whole` tiles are. A unit has one piece more than cuts.
   */
  bounds(maxTokens: number, maxRequests: number, maxQoLen: number, maxKvLen: number): PieceBounds {
    const { numCtas, prefillCtas } = this.#config.limits;
    const { decodeTokens, prefillTokens } = this.#table;
    const sums = new PieceSums(this.#config, this.#ends);
    const numRequests = Math.min(maxRequests, maxTokens);
    const numTiles = Math.min(
      numRequests + Math.floor((maxTokens - numRequests) / prefillTokens),
      numRequests * Math.ceil(maxQoLen / prefillTokens),
    );
    // A prefill tile has more tokens than a decode tile holds, if it holds more.
    const minPrefill = Math.min(decodeTokens + 1, prefillTokens);
    const numPrefillTiles = maxQoLen <= decodeTokens ? 0 : Math.min(numTiles, Math.floor(maxTokens / minPrefill));
    const decodeCuts = decodeTokens === 0 ? 0 : this.#cutsWithin(maxKvLen, false, 1);
    const prefillCuts = numPrefillTiles === 0 ? 0 : this.#cutsWithin(maxKvLen, true, minPrefill);
    if (prefillCtas === 0) {
      const most = Math.max(decodeCuts, prefillCuts);
      sums.addPart(numCtas, numRequests, numTiles, most * numTiles, most, maxTokens, prefillTokens);
      return sums;
    }
    // A request ends with a decode tile, or with none.
    sums.addPart(numCtas, numRequests, numRequests, decodeCuts * numRequests, decodeCuts, maxTokens, decodeTokens);
    const numQueued = Math.min(numRequests, numPrefillTiles);
    const cuts = prefillCuts * numPrefillTiles;
    sums.addPart(prefillCtas, numQueued, numPrefillTiles, cuts, prefillCuts, maxTokens, prefillTokens);
    sums.limitRows(maxTokens);
    return sums;
  }

  /** The worst case of a batch whose requests are known: of each by itself, added up. */
  boundsOf(qoIndptr: Int32Array, kvLenOf: (request: number) => number): PieceBounds {
    const { numCtas, prefillCtas } = this.#config.limits;
    const { prefillTokens } = this.#table;
    const sums = new PieceSums(this.#config, this.#ends);
    for (let r = 0; r + 1 < qoIndptr.length; r++) {
      const numTokens = qoIndptr[r + 1] - qoIndptr[r];
      if (numTokens === 0) continue;
      const kvLen = kvLenOf(r);
      const numFull = Math.floor((numTokens - 1) / prefillTokens);
      const lastTokens = numTokens - numFull * prefillTokens;
      const isPrefill = this.#table.classOf(lastTokens) === TILE_PREFILL;
      const fullCuts = numFull === 0 ? 0 : this.#cutsWithin(kvLen, true, prefillTokens);
      const lastCuts = this.#cutsWithin(kvLen, isPrefill, lastTokens);
      const cutFull = fullCuts === 0 ? 0 : numFull;
      const cutLast = lastCuts === 0 ? 0 : 1;
      if (isPrefill || prefillCtas === 0) {
        const ctas = prefillCtas === 0 ? numCtas : prefillCtas;
        const cuts = numFull * fullCuts + lastCuts;
        sums.addPart(ctas, 1, cutFull + cutLast, cuts, Math.max(fullCuts, lastCuts), numTokens, prefillTokens);
      } else {
        sums.addPart(numCtas, 1, cutLast, lastCuts, lastCuts, lastTokens, lastTokens);
        const fullTokens = numFull * prefillTokens;
        sums.addPart(prefillCtas, 1, cutFull, numFull * fullCuts, fullCuts, fullTokens, prefillTokens);
      }
    }
    return sums;
  }

  /** Cuts of a unit of so many KV tokens, if a tile has `minTokens` tokens or more, and not counting one that a window begins. */
  #cutsWithin(kvLen: number, isPrefill: boolean, minTokens: number): number {
    const { decodeKvTile, prefillKvTile } = this.#config.limits;
    const steps = Math.ceil(kvLen / (isPrefill ? prefillKvTile : decodeKvTile));
    const worth = this.#worthSteps[isPrefill ? this.#stride + minTokens : minTokens];
    return Math.floor(Math.max(0, steps - 1) / worth);
  }

  #cutTile(tiles: TileList, tile: number, isPrefill: boolean, numTokens: number, requestCost: number): void {
    const { numKvHeads, limits } = this.#config;
    const { numCtas, prefillCtas, decodeKvTile, prefillKvTile } = limits;
    const entry = isPrefill ? this.#stride + numTokens : numTokens;
    const stepCost = this.#stepCost(isPrefill);
    const isQueued = this.#isQueued(isPrefill);
    const enough = Math.ceil(
      requestCost * numKvHeads / (PIECES_PER_CTA * (isQueued ? prefillCtas : numCtas) * stepCost),
    );
    const length = Math.max(this.#worthSteps[entry], enough);
    const steps = tiles.numSteps[tile];
    let numCuts = 0;
    if (steps > length) {
      const least = this.#minSteps[entry];
      const firstStep = Math.floor(tiles.kvBegin[tile] / (isPrefill ? prefillKvTile : decodeKvTile));
      const firstCut = Math.ceil((firstStep + least) / length);
      numCuts = Math.max(0, Math.floor((firstStep + steps - least) / length) - firstCut + 1);
      this.firstCut[tile] = firstCut;
    }
    this.pieceSteps[tile] = length;
    this.numCuts[tile] = numCuts;
    if (isQueued) return;
    const unitCost = numCuts === 0
      ? tiles.unitCost[tile]
      : steps * stepCost + (numCuts + 1) * this.pieceCost(isPrefill, numTokens);
    this.shareCost += unitCost * numKvHeads;
  }

  #isQueued(isPrefill: boolean): boolean {
    return isPrefill && this.#config.limits.prefillCtas > 0;
  }

  #stepCost(isPrefill: boolean): number {
    const { limits, costs } = this.#config;
    return isPrefill ? limits.prefillKvTile * costs.prefillToken : limits.decodeKvTile * costs.decodeToken;
  }

  #reserve(maxTiles: number): void {
    if (this.numCuts.length >= maxTiles) return;
    this.pieceSteps = new Int32Array(maxTiles);
    this.firstCut = new Int32Array(maxTiles);
    this.numCuts = new Int32Array(maxTiles);
  }
}

/** Bounds that grow as parts of batches are added up. */
class PieceSums implements PieceBounds {
  maxPieces = 0;
  maxCutUnits = 0;
  maxPieceRows = 0;
  /** Pieces of a unit. */
  #most = 0;
  readonly #config: CheckedConfig;
  readonly #ends: number;

  constructor(config: CheckedConfig, ends: number) {
    this.#config = config;
    this.#ends = ends;
  }

  /**
   * Adds a part that `numCtas` CTAs take: of `numRequests` requests, `numTiles` tiles long enough to be cut, of up to `tileTokens` tokens, `numTokens` in
   * all; their KV has room for `numCuts` cuts a KV head, `mostCuts` in one tile.
   */
  addPart(
    numCtas: number,
    numRequests: number,
    numTiles: number,
    numCuts: number,
    mostCuts: number,
    numTokens: number,
    tileTokens: number,
  ): void {
    const { numKvHeads, groupSize } = this.#config;
    const whole = Math.ceil(PIECES_PER_CTA * numCtas / numKvHeads) - 1;
    if (mostCuts === 0 || whole === 0) return;
    const cutTiles = Math.min(numTiles, whole * numRequests);
    const numPieces = Math.min(whole * numRequests, numCuts) + this.#ends * cutTiles;
    const pieceTokens = Math.min(whole * Math.min(numTokens, numRequests * tileTokens), mostCuts * numTokens) +
      this.#ends * Math.min(numTokens, cutTiles * tileTokens);
    this.maxPieces += numPieces * numKvHeads;
    this.maxCutUnits += cutTiles * numKvHeads;
    this.maxPieceRows += pieceTokens * groupSize * numKvHeads;
    this.#most = Math.max(this.#most, Math.min(whole, mostCuts) + this.#ends);
  }

  /** A token is in one of the parts: not all of them have the most rows. */
  limitRows(numTokens: number): void {
    const { numKvHeads, groupSize } = this.#config;
    this.maxPieceRows = Math.min(this.maxPieceRows, this.#most * numTokens * groupSize * numKvHeads);
  }
}

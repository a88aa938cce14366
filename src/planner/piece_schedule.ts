/**
 * The schedule of a batch-invariant plan: pieces, which are never cut any further, laid into shares or into the queue.
 *
 * All pieces lie end to end on a line measured in cost, as in `schedule.ts`, but here the line has everything on it: items and partial rows of each
 * piece. It is divided into equal shares, and a piece goes to the CTA in whose share its middle lies.
 *
 * Bound: what a CTA has more or less than an equal share is at each end half a piece at most. So its cost is within one piece, the longest, of an equal
 * share. See `pieces.ts` for how long that can be.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { Pieces } from "./pieces.ts";
import type { CheckedConfig } from "./problem.ts";
import { type Scheduler, writeItem } from "./schedule.ts";
import { TILE_PREFILL, type TileList } from "./tiles.ts";

const { words: TILE_WORDS, numTokens: TILE_NUM_TOKENS, tileClass: TILE_CLASS } = ROW_TILE;

/** Writes the items of pieces, and of units that are not cut, by way of a scheduler's counters. */
export class PieceSchedule {
  readonly #config: CheckedConfig;
  readonly #tiles: TileList;
  readonly #pieces: Pieces;
  readonly #scheduler: Scheduler;
  /** Twice the cost of the line so far: the middles of pieces are then whole numbers. */
  #before = 0;
  /** The share under way, and twice the cost of the line at its end. */
  #share = 0;
  #shareEnd = Infinity;

  /** For plans of one config, made of the tiles in `tiles`, cut as `pieces` says. */
  constructor(config: CheckedConfig, tiles: TileList, pieces: Pieces, scheduler: Scheduler) {
    this.#config = config;
    this.#tiles = tiles;
    this.#pieces = pieces;
    this.#scheduler = scheduler;
  }

  /** Appends the items of all shares. Neighbouring KV heads of a tile that is not cut are one item if they are in the same share. */
  layShares(words: Int32Array, layout: PlanLayout): void {
    const { numKvHeads } = this.#config;
    const { shareTiles, shareCount, unitCost } = this.#tiles;
    const { numCuts } = this.#pieces;
    const scheduler = this.#scheduler;
    const { ctaBeginOffset } = layout;
    this.#before = 0;
    this.#share = 0;
    this.#shareEnd = this.#endOf(0);
    words[ctaBeginOffset] = scheduler.numWorkItems;
    for (let place = 0; place < shareCount; place++) {
      const tile = shareTiles[place];
      if (numCuts[tile] > 0) {
        this.#writeCutTile(words, layout, tile);
        continue;
      }
      const cost = unitCost[tile];
      for (let head = 0; head < numKvHeads;) {
        if (this.#before + cost >= this.#shareEnd) this.#goOn(words, ctaBeginOffset, this.#before + cost);
        const first = head;
        do {
          head++;
          this.#before += 2 * cost;
        } while (head < numKvHeads && this.#before + cost < this.#shareEnd);
        this.#writeWhole(words, layout, tile, first, head - first);
      }
    }
    this.#goOn(words, ctaBeginOffset, Infinity);
  }

  /**
   * Appends the pieces of those of the first `count` tiles of `line` that are cut, one KV head an item, and moves the others to the front, in order.
   *
   * @returns how many others there are.
   */
  appendCutTiles(words: Int32Array, layout: PlanLayout, line: Int32Array, count: number): number {
    const { numCuts } = this.#pieces;
    this.#shareEnd = Infinity;
    let numWhole = 0;
    for (let place = 0; place < count; place++) {
      const tile = line[place];
      if (numCuts[tile] > 0) this.#writeCutTile(words, layout, tile);
      else line[numWhole++] = tile;
    }
    return numWhole;
  }

  /** Twice the cost of the line at the end of a share. The last share takes all that is left. */
  #endOf(share: number): number {
    const { numCtas } = this.#config.limits;
    return share === numCtas - 1 ? Infinity : 2 * this.#pieces.shareCost * (share + 1) / numCtas;
  }

  /** Ends shares until one holds `middle`, twice the cost up to the middle of the next piece. Infinity: ends all. */
  #goOn(words: Int32Array, ctaBeginOffset: number, middle: number): void {
    const { numCtas } = this.#config.limits;
    while (this.#share < numCtas && middle >= this.#shareEnd) {
      words[ctaBeginOffset + ++this.#share] = this.#scheduler.numWorkItems;
      this.#shareEnd = this.#endOf(this.#share);
    }
  }

  #writeWhole(words: Int32Array, { workOffset }: PlanLayout, tile: number, head: number, numHeads: number): void {
    const { kvBegin, kvEnd, freeBegin, freeEnd } = this.#tiles;
    const begin = kvBegin[tile];
    const end = kvEnd[tile];
    const isFree = begin === end || (begin >= freeBegin[tile] && end <= freeEnd[tile]);
    writeItem(words, workOffset, this.#scheduler.numWorkItems++, tile, head, numHeads, begin, end, -1, isFree);
  }

  /** All pieces of a tile that is cut, KV head by KV head, those of a unit one after another. */
  #writeCutTile(words: Int32Array, { tilesOffset, workOffset, ctaBeginOffset }: PlanLayout, tile: number): void {
    const { numKvHeads, groupSize, limits, costs } = this.#config;
    const { kvBegin, kvEnd, freeBegin, freeEnd } = this.#tiles;
    const pieces = this.#pieces;
    const scheduler = this.#scheduler;
    const { cutUnitItem, cutUnitPiece } = scheduler;
    const at = tilesOffset + tile * TILE_WORDS;
    const numTokens = words[at + TILE_NUM_TOKENS];
    const numRows = numTokens * groupSize;
    const isPrefill = words[at + TILE_CLASS] === TILE_PREFILL;
    const kvTile = isPrefill ? limits.prefillKvTile : limits.decodeKvTile;
    const tokenCost = isPrefill ? costs.prefillToken : costs.decodeToken;
    const pieceCost = pieces.pieceCost(isPrefill, numTokens);
    const kvFirst = kvBegin[tile];
    const kvLast = kvEnd[tile];
    const firstFree = freeBegin[tile];
    const endFree = freeEnd[tile];
    const numCuts = pieces.numCuts[tile];
    const length = pieces.pieceSteps[tile] * kvTile;
    const firstCut = pieces.firstCut[tile] * length;
    // Steps are walked, and cost, whole.
    const firstStep = kvFirst - kvFirst % kvTile;
    const lastStep = Math.ceil(kvLast / kvTile) * kvTile;
    for (let head = 0; head < numKvHeads; head++) {
      cutUnitItem[scheduler.numCutUnits] = scheduler.numWorkItems;
      cutUnitPiece[scheduler.numCutUnits++] = scheduler.numCutPieces;
      let begin = kvFirst;
      let beginStep = firstStep;
      for (let piece = 0; piece <= numCuts; piece++) {
        const cut = firstCut + piece * length;
        const end = piece === numCuts ? kvLast : cut;
        const endStep = piece === numCuts ? lastStep : cut;
        const cost = pieceCost + (endStep - beginStep) * tokenCost;
        if (this.#before + cost >= this.#shareEnd) this.#goOn(words, ctaBeginOffset, this.#before + cost);
        this.#before += 2 * cost;
        const isFree = begin >= firstFree && end <= endFree;
        const row = scheduler.numPartialRows;
        writeItem(words, workOffset, scheduler.numWorkItems++, tile, head, 1, begin, end, row, isFree);
        scheduler.numPartialRows += numRows;
        begin = end;
        beginStep = endStep;
      }
      scheduler.numCutPieces += numCuts + 1;
    }
    cutUnitPiece[scheduler.numCutUnits] = scheduler.numCutPieces;
  }
}

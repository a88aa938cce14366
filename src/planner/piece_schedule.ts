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

  /** For plans of one config, made of the tiles in `tiles`, cut as `pieces` says. */
  constructor(config: CheckedConfig, tiles: TileList, pieces: Pieces, scheduler: Scheduler) {
    this.#config = config;
    this.#tiles = tiles;
    this.#pieces = pieces;
    this.#scheduler = scheduler;
  }

  /** Appends the items of all shares. Neighbouring KV heads of a tile that is not cut are one item if they are in the same share. */
  layShares(words: Int32Array, layout: PlanLayout): void {
    const { numKvHeads, limits: { numCtas, decodeKvTile, prefillKvTile }, costs } = this.#config;
    const { shareTiles, shareCount, unitCost, kvBegin, kvEnd } = this.#tiles;
    const pieces = this.#pieces;
    const scheduler = this.#scheduler;
    const { tilesOffset, ctaBeginOffset } = layout;
    // Twice the line, so that middles of pieces are whole numbers.
    const line = 2 * pieces.shareCost;
    const endOf = (share: number): number => share === numCtas - 1 ? Infinity : line * (share + 1) / numCtas;
    let share = 0;
    let shareEnd = endOf(0);
    let before = 0;
    /** Goes on to the share in which the middle of the next piece, of so much cost, lies. True if that is another one. */
    const isInAnother = (cost: number): boolean => before + cost >= shareEnd;
    const goOn = (cost: number): void => {
      while (isInAnother(cost)) {
        share++;
        words[ctaBeginOffset + share] = scheduler.numWorkItems;
        shareEnd = endOf(share);
      }
    };
    words[ctaBeginOffset] = scheduler.numWorkItems;
    for (let place = 0; place < shareCount; place++) {
      const tile = shareTiles[place];
      const numCuts = pieces.numCuts[tile];
      if (numCuts === 0) {
        const cost = unitCost[tile];
        for (let head = 0; head < numKvHeads;) {
          goOn(cost);
          const first = head++;
          before += 2 * cost;
          while (head < numKvHeads && !isInAnother(cost)) {
            head++;
            before += 2 * cost;
          }
          this.#writeWhole(words, layout, tile, first, head - first);
        }
        continue;
      }
      const at = tilesOffset + tile * TILE_WORDS;
      const isPrefill = words[at + TILE_CLASS] === TILE_PREFILL;
      const pieceCost = pieces.pieceCost(isPrefill, words[at + TILE_NUM_TOKENS]);
      const kvTile = isPrefill ? prefillKvTile : decodeKvTile;
      const tokenCost = isPrefill ? costs.prefillToken : costs.decodeToken;
      const firstKv = kvBegin[tile] - kvBegin[tile] % kvTile;
      const endKv = Math.ceil(kvEnd[tile] / kvTile) * kvTile;
      for (let head = 0; head < numKvHeads; head++) {
        for (let piece = 0; piece <= numCuts; piece++) {
          const begin = piece === 0 ? firstKv : this.#cutAt(tile, piece - 1, kvTile);
          const end = piece === numCuts ? endKv : this.#cutAt(tile, piece, kvTile);
          const cost = pieceCost + (end - begin) * tokenCost;
          goOn(cost);
          this.#writePiece(words, layout, tile, head, piece, kvTile);
          before += 2 * cost;
        }
      }
    }
    while (share < numCtas) words[ctaBeginOffset + ++share] = scheduler.numWorkItems;
  }

  /**
   * Appends the pieces of those of the first `count` tiles of `line` that are cut, one KV head an item, and moves the others to the front, in order.
   *
   * @returns how many others there are.
   */
  appendCutTiles(words: Int32Array, layout: PlanLayout, line: Int32Array, count: number): number {
    const { numKvHeads, limits: { decodeKvTile, prefillKvTile } } = this.#config;
    const { numCuts } = this.#pieces;
    let numWhole = 0;
    for (let place = 0; place < count; place++) {
      const tile = line[place];
      if (numCuts[tile] === 0) {
        line[numWhole++] = tile;
        continue;
      }
      const isPrefill = words[layout.tilesOffset + tile * TILE_WORDS + TILE_CLASS] === TILE_PREFILL;
      const kvTile = isPrefill ? prefillKvTile : decodeKvTile;
      for (let head = 0; head < numKvHeads; head++) {
        for (let piece = 0; piece <= numCuts[tile]; piece++) {
          this.#writePiece(words, layout, tile, head, piece, kvTile);
        }
      }
    }
    return numWhole;
  }

  /** The KV token of a tile's cut. */
  #cutAt(tile: number, index: number, kvTile: number): number {
    const { firstCut, pieceSteps } = this.#pieces;
    return (firstCut[tile] + index) * pieceSteps[tile] * kvTile;
  }

  #writeWhole(words: Int32Array, { workOffset }: PlanLayout, tile: number, head: number, numHeads: number): void {
    const { kvBegin, kvEnd, freeBegin, freeEnd } = this.#tiles;
    const begin = kvBegin[tile];
    const end = kvEnd[tile];
    const isFree = begin === end || (begin >= freeBegin[tile] && end <= freeEnd[tile]);
    writeItem(words, workOffset, this.#scheduler.numWorkItems++, tile, head, numHeads, begin, end, -1, isFree);
  }

  /** A piece of a cut unit. Pieces of a unit are written one after another, the first of them first. */
  #writePiece(
    words: Int32Array,
    { tilesOffset, workOffset }: PlanLayout,
    tile: number,
    head: number,
    piece: number,
    kvTile: number,
  ): void {
    const scheduler = this.#scheduler;
    const { kvBegin, kvEnd, freeBegin, freeEnd } = this.#tiles;
    const begin = piece === 0 ? kvBegin[tile] : this.#cutAt(tile, piece - 1, kvTile);
    const end = piece === this.#pieces.numCuts[tile] ? kvEnd[tile] : this.#cutAt(tile, piece, kvTile);
    if (piece === 0) {
      scheduler.cutUnitItem[scheduler.numCutUnits] = scheduler.numWorkItems;
      scheduler.cutUnitPiece[scheduler.numCutUnits++] = scheduler.numCutPieces;
    }
    const isFree = begin >= freeBegin[tile] && end <= freeEnd[tile];
    const row = scheduler.numPartialRows;
    writeItem(words, workOffset, scheduler.numWorkItems++, tile, head, 1, begin, end, row, isFree);
    scheduler.numPartialRows += words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS] * this.#config.groupSize;
    scheduler.cutUnitPiece[scheduler.numCutUnits] = ++scheduler.numCutPieces;
  }
}

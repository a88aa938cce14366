/**
 * The schedule: all work laid end to end and cut into equal shares, one for each CTA.
 *
 * Work lies in the order of tiles, within a tile by KV head, within a KV head (a *unit*) by KV token. On this line, measured in cost, CTA `c` takes
 * what lies from `c / numCtas` to `(c + 1) / numCtas` of the whole. So a cut is made only where a share ends, and a request is split as often as it
 * is long. Each cut moves to the nearest place where it may be: between two units, or between two steps of a unit with enough steps on
 * both sides to be worth the partial rows.
 *
 * Bound: a CTA's cost is at most an equal share, plus one item (the unit it begins in the middle of starts a second time), plus what
 * its two cuts moved: half a step each, or where pieces of that few steps are not worth it, up to 1.5 times the smallest piece each.
 *
 * @module
 */
import { ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import { minStepsOfPiece } from "./cost.ts";
import type { CheckedConfig } from "./problem.ts";
import type { TileList } from "./tiles.ts";

const TILE_WORDS = ROW_TILE.words;
const ITEM_WORDS = WORK_ITEM.words;

/** Cuts tiles into work items. Its arrays live as long as the planner. */
export class Scheduler {
  /** Items of the schedule so far. */
  numWorkItems = 0;
  /** Workspace rows of the schedule so far. */
  numPartialRows = 0;
  /** Units of the schedule that were cut. */
  numCutUnits = 0;
  /** Their pieces, all together. */
  numCutPieces = 0;
  /** First item of each cut unit. Its other pieces follow at once. */
  readonly cutUnitItem: Int32Array;
  /** Pieces of each cut unit. */
  readonly cutUnitPieces: Int32Array;
  readonly #numKvHeads: number;
  readonly #groupSize: number;
  readonly #kvTile: readonly [decode: number, prefill: number];
  readonly #itemCost: readonly [decode: number, prefill: number];
  readonly #stepCost: readonly [decode: number, prefill: number];
  /** [2, tokens a tile]: the fewest steps of a piece, by class and tokens of its tile. */
  readonly #minSteps: Int32Array;
  readonly #minStepsStride: number;
  // The plan under way.
  readonly #tiles: TileList;
  #words: Int32Array = new Int32Array(0);
  #tilesOffset = 0;
  #workOffset = 0;
  /** True: an item never has more than one KV head. */
  #oneHead = false;
  // The place on the line where the last share ended: before step #step of KV head #head of the tile under way.
  #head = 0;
  #step = 0;

  /** A scheduler for plans of one config, made of the tiles in `tiles`. */
  constructor({ numKvHeads, groupSize, limits, costs }: CheckedConfig, tiles: TileList) {
    const { numCtas, prefillCtas, decodeRows, prefillRows, decodeKvTile, prefillKvTile } = limits;
    this.cutUnitItem = new Int32Array(numCtas + prefillCtas);
    this.cutUnitPieces = new Int32Array(numCtas + prefillCtas);
    this.#tiles = tiles;
    this.#numKvHeads = numKvHeads;
    this.#groupSize = groupSize;
    this.#kvTile = [decodeKvTile, prefillKvTile];
    this.#itemCost = [costs.decodeItem, costs.prefillItem];
    this.#stepCost = [decodeKvTile * costs.decodeToken, prefillKvTile * costs.prefillToken];
    this.#minStepsStride = Math.floor(Math.max(decodeRows, prefillRows) / groupSize) + 1;
    this.#minSteps = Int32Array.from({ length: 2 * this.#minStepsStride }, (_, i) => {
      const tileClass = i < this.#minStepsStride ? 0 : 1;
      const numRows = (i - tileClass * this.#minStepsStride) * groupSize;
      return minStepsOfPiece(this.#stepCost[tileClass], this.#itemCost[tileClass], numRows, costs.partialRow);
    });
  }

  /** Starts the schedule of a plan. */
  begin(words: Int32Array, { tilesOffset, workOffset }: PlanLayout): void {
    this.#words = words;
    this.#tilesOffset = tilesOffset;
    this.#workOffset = workOffset;
    this.numWorkItems = 0;
    this.numPartialRows = 0;
    this.numCutUnits = 0;
    this.numCutPieces = 0;
  }

  /**
   * Lays tiles end to end and appends the work items of `numShares` equal shares.
   *
   * @param line the tiles in order: entries `lineBegin` to `lineEnd` (not included). Their cost together is `lineCost`.
   * @param sharesOffset where the first item of each share, and the end of the last, is written; -1: nowhere.
   * @param oneHead true: an item never has more than one KV head.
   */
  cut(
    line: Int32Array,
    lineBegin: number,
    lineEnd: number,
    lineCost: number,
    numShares: number,
    sharesOffset: number,
    oneHead: boolean,
  ): void {
    const words = this.#words;
    if (lineBegin === lineEnd) {
      if (sharesOffset >= 0) words.fill(this.numWorkItems, sharesOffset, sharesOffset + numShares + 1);
      return;
    }
    const { unitCost } = this.#tiles;
    const numKvHeads = this.#numKvHeads;
    this.#oneHead = oneHead;
    this.#head = 0;
    this.#step = 0;
    let place = lineBegin;
    let tile = line[place];
    // Cost of the line before and up to the end of the tile under way.
    let tileBegin = 0;
    let tileEnd = unitCost[tile] * numKvHeads;
    // Share s ends at cost floor((s + 1) * lineCost / numShares), which is counted up without dividing: quotient and remainder by themselves.
    const quotient = Math.floor(lineCost / numShares);
    const remainder = lineCost - quotient * numShares;
    let shareEnd = 0;
    let fraction = 0;
    for (let share = 0; share < numShares - 1; share++) {
      if (sharesOffset >= 0) words[sharesOffset + share] = this.numWorkItems;
      shareEnd += quotient;
      fraction += remainder;
      if (fraction >= numShares) {
        fraction -= numShares;
        shareEnd++;
      }
      while (tileEnd <= shareEnd && place < lineEnd - 1) {
        this.#emit(tile, numKvHeads, 0);
        this.#head = 0;
        tile = line[++place];
        tileBegin = tileEnd;
        tileEnd += unitCost[tile] * numKvHeads;
      }
      this.#cutTile(tile, shareEnd - tileBegin);
    }
    if (sharesOffset >= 0) words[sharesOffset + numShares - 1] = this.numWorkItems;
    for (;;) {
      this.#emit(tile, numKvHeads, 0);
      this.#head = 0;
      if (++place === lineEnd) break;
      tile = line[place];
    }
    if (sharesOffset >= 0) words[sharesOffset + numShares] = this.numWorkItems;
  }

  /** Appends one item for all of a tile: every KV head and all it sees. */
  appendWhole(tile: number): void {
    this.#head = 0;
    this.#step = 0;
    this.#oneHead = false;
    this.#emit(tile, this.#numKvHeads, 0);
  }

  /** Ends a share in a tile: at the place nearest to `cost`, counted from the tile's begin, where a cut may be, not before the last cut. */
  #cutTile(tile: number, cost: number): void {
    const tiles = this.#tiles;
    const words = this.#words;
    const unit = tiles.unitCost[tile];
    let head = (cost / unit) | 0;
    if (head < this.#head) return;
    const costInUnit = cost - head * unit;
    const numSteps = tiles.numSteps[tile];
    const first = head === this.#head ? this.#step : 0;
    const at = this.#tilesOffset + tile * TILE_WORDS;
    const tileClass = words[at + ROW_TILE.tileClass];
    const minSteps = this.#minSteps[tileClass * this.#minStepsStride + words[at + ROW_TILE.numTokens]];
    const wanted = Math.floor((costInUnit - this.#itemCost[tileClass]) / this.#stepCost[tileClass] + 0.5);
    let step = wanted;
    let atEnd = false;
    if (numSteps - first < 2 * minSteps) {
      // Too short for two pieces: cut before or after it, whichever is nearer.
      step = first;
      atEnd = first === 0 ? 2 * costInUnit >= unit : 2 * (wanted - first) >= numSteps - first;
    } else if (wanted < first + minSteps) {
      step = 2 * (wanted - first) < minSteps ? first : first + minSteps;
    } else if (wanted > numSteps - minSteps) {
      step = numSteps - minSteps;
      atEnd = 2 * (numSteps - wanted) < minSteps;
    }
    if (atEnd) {
      step = 0;
      head++;
    }
    this.#emit(tile, head, step);
    this.#head = head;
    this.#step = step;
  }

  /**
   * Writes a tile's items from the last cut to step `endStep` of KV head `endHead`: whole units of neighbouring KV heads as one item, a
   * piece of a cut unit as one of its own.
   */
  #emit(tile: number, endHead: number, endStep: number): void {
    const tiles = this.#tiles;
    const words = this.#words;
    let head = this.#head;
    const step = this.#step;
    if (head === endHead && step === endStep) return;
    const at = this.#tilesOffset + tile * TILE_WORDS;
    const numRows = words[at + ROW_TILE.numTokens] * this.#groupSize;
    const begin = tiles.kvBegin[tile];
    const end = tiles.kvEnd[tile];
    if (step > 0) {
      const kvTile = this.#kvTile[words[at + ROW_TILE.tileClass]];
      const firstStep = Math.floor(begin / kvTile);
      const pieceEnd = head === endHead ? (firstStep + endStep) * kvTile : end;
      this.cutUnitPieces[this.numCutUnits - 1]++;
      this.numCutPieces++;
      this.#write(tile, head, 1, (firstStep + step) * kvTile, pieceEnd, numRows);
      if (head === endHead) return;
      head++;
      this.#step = 0;
    }
    if (head < endHead) {
      const rowsOfHead = tiles.isPartial[tile] === 1 ? numRows : 0;
      const numHeads = this.#oneHead ? 1 : endHead - head;
      for (; head < endHead; head += numHeads) this.#write(tile, head, numHeads, begin, end, rowsOfHead);
    }
    if (endStep > 0) {
      const kvTile = this.#kvTile[words[at + ROW_TILE.tileClass]];
      this.cutUnitItem[this.numCutUnits] = this.numWorkItems;
      this.cutUnitPieces[this.numCutUnits++] = 1;
      this.numCutPieces++;
      this.#write(tile, endHead, 1, begin, (Math.floor(begin / kvTile) + endStep) * kvTile, numRows);
    }
  }

  /** Writes an item. `rowsOfHead`: partial rows of each of its KV heads; 0: its results are final. */
  #write(tile: number, head: number, numHeads: number, begin: number, end: number, rowsOfHead: number): void {
    const tiles = this.#tiles;
    const words = this.#words;
    const at = this.#workOffset + this.numWorkItems++ * ITEM_WORDS;
    words[at + WORK_ITEM.tile] = tile;
    words[at + WORK_ITEM.kvHeadBegin] = head;
    words[at + WORK_ITEM.numKvHeads] = numHeads;
    words[at + WORK_ITEM.kvBegin] = begin;
    words[at + WORK_ITEM.kvEnd] = end;
    words[at + WORK_ITEM.partialRow] = rowsOfHead > 0 ? this.numPartialRows : -1;
    words[at + WORK_ITEM.needsMask] = begin === end || (begin >= tiles.freeBegin[tile] && end <= tiles.freeEnd[tile])
      ? 0
      : 1;
    // `reserved` is 0 from the start: nothing else is ever written there.
    this.numPartialRows += rowsOfHead * numHeads;
  }
}

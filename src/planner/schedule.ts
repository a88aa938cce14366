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
import { TILE_PREFILL, type TileList } from "./tiles.ts";

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
  readonly #config: CheckedConfig;
  // The line under way: tiles by their place on it.
  #line: Int32Array = new Int32Array(0);
  #lineLength = 0;
  // The place of a cut: before step #cutStep of KV head #cutHead of the tile at place #cutPlace.
  #cutPlace = 0;
  #cutHead = 0;
  #cutStep = 0;
  // Cost of the tiles before #prefixPlace.
  #prefixPlace = 0;
  #prefixCost = 0;

  /** A scheduler for plans of one config. */
  constructor(config: CheckedConfig) {
    this.#config = config;
    const { numCtas, prefillCtas } = config.limits;
    this.cutUnitItem = new Int32Array(numCtas + prefillCtas);
    this.cutUnitPieces = new Int32Array(numCtas + prefillCtas);
  }

  /** Starts a schedule. */
  begin(): void {
    this.numWorkItems = 0;
    this.numPartialRows = 0;
    this.numCutUnits = 0;
    this.numCutPieces = 0;
  }

  /**
   * Lays tiles end to end and appends the work items of `numShares` equal shares.
   *
   * @param line the tiles in order, `lineLength` of them; their cost together is `lineCost`.
   * @param sharesOffset where the first item of each share, and the end of the last, is written; -1: nowhere.
   * @param oneHead true: an item never has more than one KV head.
   */
  cut(
    tiles: TileList,
    words: Int32Array,
    layout: PlanLayout,
    line: Int32Array,
    lineLength: number,
    lineCost: number,
    numShares: number,
    sharesOffset: number,
    oneHead: boolean,
  ): void {
    this.#line = line;
    this.#lineLength = lineLength;
    this.#prefixPlace = 0;
    this.#prefixCost = 0;
    let place = 0;
    let head = 0;
    let step = 0;
    for (let share = 0; share < numShares; share++) {
      if (sharesOffset >= 0) words[sharesOffset + share] = this.numWorkItems;
      if (place === lineLength) continue;
      if (share === numShares - 1) {
        this.#cutPlace = lineLength;
        this.#cutHead = 0;
        this.#cutStep = 0;
      } else {
        this.#findCut(tiles, words, layout, Math.floor((share + 1) * lineCost / numShares), place, head, step);
      }
      this.#emit(tiles, words, layout, place, head, step, oneHead);
      place = this.#cutPlace;
      head = this.#cutHead;
      step = this.#cutStep;
    }
    if (sharesOffset >= 0) words[sharesOffset + numShares] = this.numWorkItems;
  }

  /** Appends one item for all of a tile: every KV head and all it sees. */
  appendWhole(tiles: TileList, words: Int32Array, { tilesOffset, workOffset }: PlanLayout, tile: number): void {
    const { numKvHeads, groupSize } = this.#config;
    let partialRow = -1;
    if (tiles.isPartial[tile] === 1) {
      partialRow = this.numPartialRows;
      this.numPartialRows += words[tilesOffset + tile * TILE_WORDS + ROW_TILE.numTokens] * groupSize * numKvHeads;
    }
    this.#write(tiles, words, workOffset, tile, 0, numKvHeads, tiles.kvBegin[tile], tiles.kvEnd[tile], partialRow);
  }

  /** Finds the place nearest to `cost` on the line where a cut may be, not before the last cut. */
  #findCut(
    tiles: TileList,
    words: Int32Array,
    layout: PlanLayout,
    cost: number,
    lastPlace: number,
    lastHead: number,
    lastStep: number,
  ): void {
    const { numKvHeads, groupSize, limits, costs } = this.#config;
    const { unitCost } = tiles;
    const line = this.#line;
    let place = this.#prefixPlace;
    let prefix = this.#prefixCost;
    const lastOfAll = this.#lineLength - 1;
    let tileCost = unitCost[line[place]] * numKvHeads;
    while (place < lastOfAll && prefix + tileCost <= cost) {
      prefix += tileCost;
      tileCost = unitCost[line[++place]] * numKvHeads;
    }
    this.#prefixPlace = place;
    this.#prefixCost = prefix;
    const tile = line[place];
    const unit = unitCost[tile];
    let head = Math.floor((cost - prefix) / unit);
    if (place < lastPlace || (place === lastPlace && head < lastHead)) {
      this.#cutPlace = lastPlace;
      this.#cutHead = lastHead;
      this.#cutStep = lastStep;
      return;
    }
    const costInUnit = cost - prefix - head * unit;
    const numSteps = tiles.numSteps[tile];
    const first = place === lastPlace && head === lastHead ? lastStep : 0;
    const isPrefill = words[layout.tilesOffset + tile * TILE_WORDS + ROW_TILE.tileClass] === TILE_PREFILL;
    const stepCost = isPrefill ? limits.prefillKvTile * costs.prefillToken : limits.decodeKvTile * costs.decodeToken;
    const itemCost = isPrefill ? costs.prefillItem : costs.decodeItem;
    const numRows = words[layout.tilesOffset + tile * TILE_WORDS + ROW_TILE.numTokens] * groupSize;
    const minSteps = minStepsOfPiece(stepCost, itemCost, numRows, costs.partialRow);
    const wanted = Math.floor((costInUnit - itemCost) / stepCost + 0.5);
    let step: number;
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
    } else {
      step = wanted;
    }
    if (atEnd) {
      step = 0;
      head++;
      if (head === numKvHeads) {
        head = 0;
        place++;
      }
    }
    this.#cutPlace = place;
    this.#cutHead = head;
    this.#cutStep = step;
  }

  /** Writes the items from a place to the cut: whole units of neighbouring KV heads as one item, a cut unit's piece as one of its own. */
  #emit(
    tiles: TileList,
    words: Int32Array,
    layout: PlanLayout,
    place: number,
    head: number,
    step: number,
    oneHead: boolean,
  ): void {
    const { numKvHeads, groupSize } = this.#config;
    const line = this.#line;
    const cutPlace = this.#cutPlace;
    const cutHead = this.#cutHead;
    const cutStep = this.#cutStep;
    const { tilesOffset, workOffset } = layout;
    while (place < cutPlace || (place === cutPlace && (head < cutHead || step < cutStep))) {
      const tile = line[place];
      const endsHere = place === cutPlace && head === cutHead;
      const kvBegin = tiles.kvBegin[tile];
      let begin = kvBegin;
      let end = tiles.kvEnd[tile];
      let endHead = head + 1;
      let partialRow = -1;
      const isPiece = step > 0 || endsHere;
      if (isPiece) {
        const kvTile = words[tilesOffset + tile * TILE_WORDS + ROW_TILE.tileClass] === TILE_PREFILL
          ? this.#config.limits.prefillKvTile
          : this.#config.limits.decodeKvTile;
        const firstStep = Math.floor(kvBegin / kvTile);
        if (step > 0) begin = (firstStep + step) * kvTile;
        if (endsHere) end = (firstStep + cutStep) * kvTile;
        this.#notePiece(step === 0);
      } else if (!oneHead) {
        endHead = place === cutPlace ? cutHead : numKvHeads;
      }
      if (isPiece || tiles.isPartial[tile] === 1) {
        partialRow = this.numPartialRows;
        this.numPartialRows += words[tilesOffset + tile * TILE_WORDS + ROW_TILE.numTokens] * groupSize *
          (endHead - head);
      }
      this.#write(tiles, words, workOffset, tile, head, endHead, begin, end, partialRow);
      if (endsHere) return;
      step = 0;
      head = endHead;
      if (head === numKvHeads) {
        head = 0;
        place++;
      }
    }
  }

  #write(
    tiles: TileList,
    words: Int32Array,
    workOffset: number,
    tile: number,
    head: number,
    endHead: number,
    begin: number,
    end: number,
    partialRow: number,
  ): void {
    const at = workOffset + this.numWorkItems++ * ITEM_WORDS;
    words[at + WORK_ITEM.tile] = tile;
    words[at + WORK_ITEM.kvHeadBegin] = head;
    words[at + WORK_ITEM.numKvHeads] = endHead - head;
    words[at + WORK_ITEM.kvBegin] = begin;
    words[at + WORK_ITEM.kvEnd] = end;
    words[at + WORK_ITEM.partialRow] = partialRow;
    words[at + WORK_ITEM.needsMask] = begin === end || (begin >= tiles.freeBegin[tile] && end <= tiles.freeEnd[tile])
      ? 0
      : 1;
    words[at + WORK_ITEM.reserved] = 0;
  }

  /** The item about to be written is a piece of a unit: its first, or one more. */
  #notePiece(isFirst: boolean): void {
    this.numCutPieces++;
    if (isFirst) {
      this.cutUnitItem[this.numCutUnits] = this.numWorkItems;
      this.cutUnitPieces[this.numCutUnits++] = 1;
    } else {
      this.cutUnitPieces[this.numCutUnits - 1]++;
    }
  }
}

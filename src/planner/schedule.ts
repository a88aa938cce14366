/**
 * The schedule: all work laid end to end and cut into equal shares, one for each CTA.
 *
 * Work lies in the order of tiles, within a tile by KV head, within a KV head (a *unit*) by KV token. On this line, measured in cost, share `c` of `n`
 * is what lies from `c / n` to `(c + 1) / n` of the whole. So a cut is made only where a share ends, and a request is split as often as it is
 * long. Each cut moves to the nearest place where it may be: between two units, or between two steps of a unit with enough steps on both sides to be
 * worth the partial rows. Where shares are shorter than the smallest piece that is worth it, only multiples of that are such places.
 *
 * Where a cut lies follows from the end of its share and the tile there alone, not from the cuts before: so cuts can be found in any order, and at the
 * same time.
 *
 * Bound: where pieces of m steps are the smallest that are worth their cost, a cut is at most m steps (half a step if m is 1) away from
 * where it should be. A share that begins in the middle of a unit starts that unit again, which costs an item, and if it does not, the share before may
 * have left it a unit's start; and a unit too short to be cut may be on the wrong side by half. Partial rows come on top: they are not on the line.
 *
 * @module
 */
import { ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import { minStepsOfPiece } from "./cost.ts";
import type { CheckedConfig } from "./problem.ts";
import { TILE_PREFILL, type TileList } from "./tiles.ts";

// Offsets of words, as constants of this module: the compilers of Deno and Bun then know their values.
const { words: TILE_WORDS, numTokens: TILE_NUM_TOKENS, tileClass: TILE_CLASS } = ROW_TILE;
const {
  words: ITEM_WORDS,
  tile: ITEM_TILE,
  kvHeadBegin: ITEM_KV_HEAD_BEGIN,
  numKvHeads: ITEM_NUM_KV_HEADS,
  kvBegin: ITEM_KV_BEGIN,
  kvEnd: ITEM_KV_END,
  partialRow: ITEM_PARTIAL_ROW,
  needsMask: ITEM_NEEDS_MASK,
  merge: ITEM_MERGE,
} = WORK_ITEM;

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
  /** First item of each cut unit. Its other pieces follow at once, unless they are apart. */
  cutUnitItem: Int32Array;
  /** So many of the pieces, the first, are no neighbours of the others of their units. */
  numPiecesApart = 0;
  /** [numPiecesApart]: the item of each. */
  itemOfPiece: Int32Array = new Int32Array(0);
  /** [numCutUnits + 1]: number of the first piece of each cut unit, counted over all; at the end `numCutPieces`. */
  cutUnitPiece: Int32Array;
  readonly #config: CheckedConfig;
  readonly #tiles: TileList;
  /** [2, #minStepsStride]: the fewest steps of a piece, by class and tokens of its tile. */
  readonly #minSteps: Int32Array;
  readonly #minStepsStride: number;

  /** A scheduler for plans of one config, made of the tiles in `tiles`. */
  constructor(config: CheckedConfig, tiles: TileList) {
    const { groupSize, limits, costs } = config;
    this.#config = config;
    this.#tiles = tiles;
    this.cutUnitItem = new Int32Array(limits.numCtas + limits.prefillCtas);
    this.cutUnitPiece = new Int32Array(limits.numCtas + limits.prefillCtas + 1);
    const stride = Math.floor(Math.max(limits.decodeRows, limits.prefillRows) / groupSize) + 1;
    this.#minStepsStride = stride;
    this.#minSteps = new Int32Array(2 * stride);
    const decodeStep = limits.decodeKvTile * costs.decodeToken;
    const prefillStep = limits.prefillKvTile * costs.prefillToken;
    for (let n = 0; n < stride; n++) {
      const numRows = n * groupSize;
      this.#minSteps[n] = minStepsOfPiece(decodeStep, costs.decodeItem, numRows, costs.partialRow);
      this.#minSteps[stride + n] = minStepsOfPiece(prefillStep, costs.prefillItem, numRows, costs.partialRow);
    }
  }

  /** Starts a schedule. */
  begin(): void {
    this.numWorkItems = 0;
    this.numPartialRows = 0;
    this.numCutUnits = 0;
    this.numCutPieces = 0;
    this.numPiecesApart = 0;
  }

  /** The fewest steps that are worth a piece of their own, of a decode tile of so many tokens. */
  minStepsOfDecode(numTokens: number): number {
    return this.#minSteps[numTokens];
  }

  /** Says that the first pieces are no neighbours: `itemOfPiece` is to be filled in. */
  setPiecesApart(numPieces: number): void {
    this.numPiecesApart = numPieces;
    if (this.itemOfPiece.length < numPieces) this.itemOfPiece = new Int32Array(2 * numPieces);
  }

  /** Makes room for more cut units than there are shares. Only batch-invariant plans have them. */
  reserveCutUnits(count: number): void {
    if (this.cutUnitItem.length >= count) return;
    this.cutUnitItem = new Int32Array(count + (count >> 1));
    this.cutUnitPiece = new Int32Array(this.cutUnitItem.length + 1);
  }

  /** Notes that the next pieces, of which `item` is the first, are those of one unit. */
  noteCutUnit(item: number, numPieces: number): void {
    this.cutUnitItem[this.numCutUnits] = item;
    this.cutUnitPiece[this.numCutUnits++] = this.numCutPieces;
    this.numCutPieces += numPieces;
    this.cutUnitPiece[this.numCutUnits] = this.numCutPieces;
  }

  /**
   * Lays tiles end to end and appends the work items of `numShares` equal shares: whole units of neighbouring KV heads as one item, a piece
   * of a cut unit as one of its own.
   *
   * It is one loop over local variables, for speed. Each turn takes the tile under way from the last cut to the end of the share, if that lies in the
   * tile, or else to the end of the tile.
   *
   * @param line the tiles in order: entries `lineBegin` to `lineEnd` (not included).
   * @param lineCost what the shares are equal parts of: the tiles' cost together, or more, and then the last share has less.
   * @param sharesOffset where the first item of each share, and the end of the last, is written; -1: nowhere.
   * @param oneHead true: an item never has more than one KV head.
   */
  cut(
    words: Int32Array,
    layout: PlanLayout,
    line: Int32Array,
    lineBegin: number,
    lineEnd: number,
    lineCost: number,
    numShares: number,
    sharesOffset: number,
    oneHead: boolean,
  ): void {
    if (lineBegin === lineEnd) {
      if (sharesOffset >= 0) words.fill(this.numWorkItems, sharesOffset, sharesOffset + numShares + 1);
      return;
    }
    const { numKvHeads, groupSize, limits: { decodeKvTile, prefillKvTile }, costs } = this.#config;
    const { decodeToken, prefillToken, decodeItem, prefillItem } = costs;
    const { unitCost, numSteps, kvBegin, kvEnd, freeBegin, freeEnd, isPartial } = this.#tiles;
    const { cutUnitItem, cutUnitPiece } = this;
    const { tilesOffset, workOffset } = layout;
    const minStepsOf = this.#minSteps;
    const minStepsStride = this.#minStepsStride;
    const decodeStepsPerCost = 1 / (decodeKvTile * decodeToken);
    const prefillStepsPerCost = 1 / (prefillKvTile * prefillToken);
    const lastShare = numShares - 1;
    // Share s ends at cost floor((s + 1) * lineCost / numShares). It is counted up, quotient and remainder by themselves.
    const quotient = Math.floor(lineCost / numShares);
    const remainder = (lineCost - quotient * numShares) | 0;
    let shareEnd = quotient;
    let fraction = remainder;
    let share = 0;
    let item = this.numWorkItems;
    let partialRows = this.numPartialRows;
    let cutUnits = this.numCutUnits;
    let cutPieces = this.numCutPieces;
    // Cost of the line up to the end of the tile under way.
    let tileEnd = 0;
    if (sharesOffset >= 0) words[sharesOffset] = item;
    for (let place = lineBegin; place < lineEnd; place++) {
      const tile = line[place];
      const tileAt = tilesOffset + tile * TILE_WORDS;
      const numTokens = words[tileAt + TILE_NUM_TOKENS];
      const isPrefill = words[tileAt + TILE_CLASS] === TILE_PREFILL;
      const begin = kvBegin[tile];
      const end = kvEnd[tile];
      const kvTile = isPrefill ? prefillKvTile : decodeKvTile;
      // The KV token at which step 0 begins.
      const firstKv = begin === 0 ? 0 : begin - begin % kvTile;
      const unit = unitCost[tile];
      const tileBegin = tileEnd;
      tileEnd += unit * numKvHeads;
      // The last cut lies before step `step` of KV head `head`.
      let head = 0;
      let step = 0;
      for (;;) {
        const isCut = share < lastShare && (shareEnd < tileEnd || place === lineEnd - 1);
        let endHead = numKvHeads;
        let endStep = 0;
        if (isCut) {
          // The allowed place nearest to the share's end. It follows from that cost and the tile alone, not from the cuts before it.
          const cost = shareEnd - tileBegin;
          endHead = (cost / unit) | 0;
          const costInUnit = cost - endHead * unit;
          const steps = numSteps[tile];
          const minSteps = minStepsOf[isPrefill ? minStepsStride + numTokens : numTokens];
          let atEnd = false;
          if (steps < 2 * minSteps) {
            // Too short for two pieces: cut before or after it, whichever is nearer.
            atEnd = 2 * costInUnit >= unit;
          } else {
            const itemCost = isPrefill ? prefillItem : decodeItem;
            const stepCost = kvTile * (isPrefill ? prefillToken : decodeToken);
            const stepsPerCost = isPrefill ? prefillStepsPerCost : decodeStepsPerCost;
            // Rounded to the nearest place, also where it lies in the middle of two; below 0 it matters only that it is no more than 0.
            let lastStep = steps - minSteps;
            if (quotient >= minSteps * stepCost + itemCost) {
              endStep = ((costInUnit - itemCost + 0.25) * stepsPerCost + 0.5) | 0;
            } else {
              lastStep -= lastStep % minSteps;
              endStep = minSteps * (((costInUnit - itemCost + 0.25) * stepsPerCost / minSteps + 0.5) | 0);
            }
            if (endStep < minSteps) {
              endStep = 2 * endStep < minSteps ? 0 : minSteps;
            } else if (endStep > lastStep) {
              atEnd = 2 * endStep > lastStep + steps;
              endStep = lastStep;
            }
          }
          if (atEnd) {
            endStep = 0;
            endHead++;
          }
        }
        if (step > 0 && (head < endHead || step < endStep)) {
          // One more piece of a unit that was cut before.
          const pieceBegin = firstKv + step * kvTile;
          const pieceEnd = head === endHead ? firstKv + endStep * kvTile : end;
          const isFree = pieceBegin >= freeBegin[tile] && pieceEnd <= freeEnd[tile];
          writeItem(words, workOffset, item++, tile, head, 1, pieceBegin, pieceEnd, partialRows, isFree);
          partialRows += numTokens * groupSize;
          cutPieces++;
          step = endStep;
          if (head < endHead) {
            step = 0;
            head++;
          }
        }
        if (head < endHead) {
          const isFree = begin === end || (begin >= freeBegin[tile] && end <= freeEnd[tile]);
          const numHeads = oneHead ? 1 : endHead - head;
          for (; head < endHead; head += numHeads) {
            const partialRow = isPartial[tile] === 0 ? -1 : partialRows;
            writeItem(words, workOffset, item++, tile, head, numHeads, begin, end, partialRow, isFree);
            if (partialRow >= 0) partialRows += numTokens * groupSize * numHeads;
          }
        }
        if (step < endStep) {
          // The first piece of a unit.
          const pieceEnd = firstKv + endStep * kvTile;
          const isFree = begin >= freeBegin[tile] && pieceEnd <= freeEnd[tile];
          cutUnitItem[cutUnits] = item;
          cutUnitPiece[cutUnits++] = cutPieces++;
          writeItem(words, workOffset, item++, tile, head, 1, begin, pieceEnd, partialRows, isFree);
          partialRows += numTokens * groupSize;
          step = endStep;
        }
        if (!isCut) break;
        share++;
        if (sharesOffset >= 0) words[sharesOffset + share] = item;
        // The carry is 1 if the fraction reaches a whole, else 0; the sign of a difference says it without a branch.
        fraction += remainder;
        const carry = (lastShare - fraction) >>> 31;
        fraction -= carry * numShares;
        shareEnd += quotient + carry;
      }
    }
    if (sharesOffset >= 0) words[sharesOffset + numShares] = item;
    this.numWorkItems = item;
    this.numPartialRows = partialRows;
    this.numCutUnits = cutUnits;
    this.numCutPieces = cutPieces;
    cutUnitPiece[cutUnits] = cutPieces;
  }

  /** Appends one item for all of each tile of `line` from `begin` to `end` (not included): every KV head and all that the tile sees. */
  appendWhole(words: Int32Array, layout: PlanLayout, line: Int32Array, lineBegin: number, lineEnd: number): void {
    const { numKvHeads, groupSize } = this.#config;
    const { kvBegin, kvEnd, freeBegin, freeEnd, isPartial } = this.#tiles;
    const { tilesOffset, workOffset } = layout;
    let item = this.numWorkItems;
    for (let place = lineBegin; place < lineEnd; place++) {
      const tile = line[place];
      const begin = kvBegin[tile];
      const end = kvEnd[tile];
      const isFree = begin === end || (begin >= freeBegin[tile] && end <= freeEnd[tile]);
      let partialRow = -1;
      if (isPartial[tile] === 1) {
        partialRow = this.numPartialRows;
        this.numPartialRows += words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS] * groupSize * numKvHeads;
      }
      writeItem(words, workOffset, item++, tile, 0, numKvHeads, begin, end, partialRow, isFree);
    }
    this.numWorkItems = item;
  }
}

/** Writes one item, without a merge. */
export function writeItem(
  words: Int32Array,
  workOffset: number,
  item: number,
  tile: number,
  head: number,
  numHeads: number,
  begin: number,
  end: number,
  partialRow: number,
  isFree: boolean,
): void {
  const at = workOffset + item * ITEM_WORDS;
  words[at + ITEM_TILE] = tile;
  words[at + ITEM_KV_HEAD_BEGIN] = head;
  words[at + ITEM_NUM_KV_HEADS] = numHeads;
  words[at + ITEM_KV_BEGIN] = begin;
  words[at + ITEM_KV_END] = end;
  words[at + ITEM_PARTIAL_ROW] = partialRow;
  words[at + ITEM_NEEDS_MASK] = isFree ? 0 : 1;
  words[at + ITEM_MERGE] = -1;
}

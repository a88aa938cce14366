/**
 * The queue: prefill tiles that whoever is free draws, so that no CTA waits for another.
 *
 * Its units are drawn KV head by KV head, and within a head the longest first: CTAs that run at the same time share a head's K and V in the L2
 * cache, and what is left for the end is short. Two things would still leave CTAs idle at the end, and are cut into equal pieces, drawn before
 * all others:
 *
 * - units longer than half of an equal share: with a few requests the whole queue;
 * - of units of like length, those that would not fill a last round of all CTAs.
 *
 * Pieces are equal shares, except that a share that begins in one unit and ends in the next is two pieces. So they too are drawn the longest
 * first: the short ones of two shares make up for each other (longest processing time first; Graham, "Bounds on Multiprocessing Timing
 * Anomalies", 1969: at most 4/3 of the best).
 *
 * Worked example: 16384 tokens that see all of each other, 8 KV heads, 32 tokens a tile: 512 tiles, 4096 units of 128 steps. 132 CTAs
 * do 31 rounds and 4 units more, which would take a 32nd round (3 % of the time). So one tile's 8 units are cut into pieces, and the other
 * 4088 fill 31 rounds.
 *
 * @module
 */
import { WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import { Order } from "./order.ts";
import type { PieceSchedule } from "./piece_schedule.ts";
import type { CheckedConfig } from "./problem.ts";
import type { Scheduler } from "./schedule.ts";
import type { TileList } from "./tiles.ts";

const { words: ITEM_WORDS, kvBegin: ITEM_KV_BEGIN, kvEnd: ITEM_KV_END } = WORK_ITEM;

/** A last round that is emptier than this share of all rounds is cut. */
const MAX_IDLE_SHARE = 0.01;
/** Units are of like length if the shortest is at least this share of the longest. */
const LIKE_LENGTH = 0.7;

/** Pieces of equal shares are fewer: less than three for each of 65535 CTAs, and one for each of 65535 KV heads. */
const MAX_PIECES = 2 ** 20;

/** Orders the queue's tiles and writes their items. Its arrays grow with the batch and stay. */
export class Queue {
  /** Pieces of the last schedule. */
  numPieces = 0;
  /** Whole items of the last schedule. */
  numItems = 0;
  readonly #config: CheckedConfig;
  readonly #bySteps = new Order();
  /** Tiles, those of the most steps first. */
  #order: Int32Array = new Int32Array(0);
  #pieceKeys: Float64Array = new Float64Array(0);
  #pieceWords: Int32Array = new Int32Array(0);

  /** For plans of one config. */
  constructor(config: CheckedConfig) {
    this.#config = config;
  }

  /** Appends the queue's items to the schedule, for so many CTAs. */
  append(tiles: TileList, scheduler: Scheduler, words: Int32Array, layout: PlanLayout, numCtas: number): void {
    const { queueCount, unitCost } = tiles;
    const { numKvHeads } = this.#config;
    this.numPieces = 0;
    this.numItems = 0;
    if (queueCount === 0) return;
    this.#sort(tiles);
    const order = this.#order;
    const numUnits = queueCount * numKvHeads;
    // Tiles [0, firstWhole) and [endWhole, queueCount) are cut.
    let firstWhole = 0;
    let endWhole = queueCount;
    if (numUnits <= numCtas) {
      firstWhole = queueCount;
    } else {
      const longest = 0.5 * tiles.queueCost / numCtas;
      while (firstWhole < queueCount && unitCost[order[firstWhole]] > longest) firstWhole++;
      const isLike = unitCost[order[queueCount - 1]] >= LIKE_LENGTH * unitCost[order[0]];
      const rounds = Math.floor(numUnits / numCtas);
      const left = numUnits - rounds * numCtas;
      if (firstWhole === 0 && isLike && left > 0 && numCtas - left > MAX_IDLE_SHARE * numUnits) {
        endWhole = Math.floor(rounds * numCtas / numKvHeads);
      }
    }
    const firstItem = scheduler.numWorkItems;
    this.#cut(tiles, scheduler, words, layout, 0, firstWhole, numCtas);
    this.#cut(tiles, scheduler, words, layout, endWhole, queueCount, numCtas);
    this.numPieces = scheduler.numWorkItems - firstItem;
    scheduler.appendWhole(words, layout, order, firstWhole, endWhole);
    this.numItems = Math.max(0, endWhole - firstWhole);
  }

  /** The same for a batch-invariant plan: what is cut, and where, is the request's own affair; the queue only puts it in order. */
  appendPieces(
    tiles: TileList,
    schedule: PieceSchedule,
    scheduler: Scheduler,
    words: Int32Array,
    layout: PlanLayout,
  ): void {
    this.numPieces = 0;
    this.numItems = 0;
    if (tiles.queueCount === 0) return;
    this.#sort(tiles);
    const firstItem = scheduler.numWorkItems;
    const numWhole = schedule.appendCutTiles(words, layout, this.#order, tiles.queueCount);
    this.numPieces = scheduler.numWorkItems - firstItem;
    scheduler.appendWhole(words, layout, this.#order, 0, numWhole);
    this.numItems = numWhole;
  }

  /** Puts the pieces in order. Only then when nothing counts on the order of the schedule any more. */
  orderPieces(words: Int32Array, { workOffset }: PlanLayout, numWorkItems: number): void {
    const count = this.numPieces;
    // More than a key can tell apart stay in the order of their tiles, which is by length too.
    if (count < 2 || count > MAX_PIECES) return;
    const begin = workOffset + (numWorkItems - this.numItems - count) * ITEM_WORDS;
    if (this.#pieceKeys.length < count) {
      this.#pieceKeys = new Float64Array(2 * count);
      this.#pieceWords = new Int32Array(2 * count * ITEM_WORDS);
    }
    const keys = this.#pieceKeys;
    const copy = this.#pieceWords;
    // One number holds length and place, so that the sort is numeric and stable. What the array has beyond the pieces goes to its end.
    for (let i = 0; i < count; i++) {
      const at = begin + i * ITEM_WORDS;
      keys[i] = i - (words[at + ITEM_KV_END] - words[at + ITEM_KV_BEGIN]) * MAX_PIECES;
    }
    keys.fill(Infinity, count);
    keys.sort();
    const numWords = count * ITEM_WORDS;
    for (let word = 0; word < numWords; word++) copy[word] = words[begin + word];
    for (let i = 0; i < count; i++) {
      const place = keys[i] - Math.floor(keys[i] / MAX_PIECES) * MAX_PIECES;
      for (let word = 0; word < ITEM_WORDS; word++) {
        words[begin + i * ITEM_WORDS + word] = copy[place * ITEM_WORDS + word];
      }
    }
  }

  #cut(
    tiles: TileList,
    scheduler: Scheduler,
    words: Int32Array,
    layout: PlanLayout,
    begin: number,
    end: number,
    numCtas: number,
  ): void {
    if (begin >= end) return;
    let cost = 0;
    for (let i = begin; i < end; i++) cost += tiles.unitCost[this.#order[i]];
    const { numKvHeads } = this.#config;
    scheduler.cut(words, layout, this.#order, begin, end, cost * numKvHeads, numCtas, -1, true);
  }

  #sort({ queueTiles, queueCount, numSteps }: TileList): void {
    this.#order = this.#bySteps.of(queueTiles, queueCount, numSteps, "greatest");
  }
}

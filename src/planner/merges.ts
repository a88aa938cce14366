/**
 * Merge items: where an output row's result lies in several partials, which ones, in what order.
 *
 * @module
 */
import { MERGE_ITEM, ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { ComposedTiles } from "./composed.ts";
import type { CheckedConfig } from "./problem.ts";
import type { Scheduler } from "./schedule.ts";
import { TILE_DECODE, type TileList } from "./tiles.ts";

// Offsets of words, as constants of this module: the compilers of Deno and Bun then know their values.
const { words: TILE_WORDS, tileClass: TILE_CLASS, tokenBegin: TILE_TOKEN_BEGIN, numTokens: TILE_NUM_TOKENS } = ROW_TILE;
const {
  words: ITEM_WORDS,
  tile: ITEM_TILE,
  kvHeadBegin: ITEM_KV_HEAD_BEGIN,
  partialRow: ITEM_PARTIAL_ROW,
  kvBegin: ITEM_KV_BEGIN,
  numKvHeads: ITEM_NUM_KV_HEADS,
  merge: ITEM_MERGE,
} = WORK_ITEM;
const {
  words: MERGE_WORDS,
  tokenBegin: MERGE_TOKEN_BEGIN,
  numTokens: MERGE_NUM_TOKENS,
  kvHead: MERGE_KV_HEAD,
  partialsBegin: MERGE_PARTIALS_BEGIN,
  numPartials: MERGE_NUM_PARTIALS,
  inKernel: MERGE_IN_KERNEL,
  arrivals: MERGE_ARRIVALS,
} = MERGE_ITEM;

/**
 * Merges of a plan whose tokens have one tile each, side by side: one for each unit that was cut, over the tile's tokens. The
 * partial rows of all pieces lie one after another in the workspace, because nothing but pieces has partials here.
 *
 * Merges of decode tiles are done where their pieces are: a launch of its own would take longer than their few rows (stream-K's fix-up;
 * Osama et al., "Stream-K", arXiv 2301.03598, section 4).
 *
 * @returns the number of merges that need a launch. There are `scheduler.numCutUnits` in all; `partials` has one entry a piece, in the same order.
 */
export function writeCutMerges(
  scheduler: Scheduler,
  groupSize: number,
  words: Int32Array,
  { tilesOffset, workOffset, mergesOffset, partialsOffset }: PlanLayout,
): number {
  const { numCutUnits, cutUnitItem, cutUnitPiece, itemOfPiece, numPiecesApart } = scheduler;
  let piece = 0;
  let partialRow = 0;
  let at = mergesOffset;
  let numLaunched = 0;
  for (let unit = 0; unit < numCutUnits; unit++) {
    const item = workOffset + cutUnitItem[unit] * ITEM_WORDS;
    const tile = tilesOffset + words[item + ITEM_TILE] * TILE_WORDS;
    const numTokens = words[tile + TILE_NUM_TOKENS];
    const end = cutUnitPiece[unit + 1];
    words[at + MERGE_TOKEN_BEGIN] = words[tile + TILE_TOKEN_BEGIN];
    words[at + MERGE_NUM_TOKENS] = numTokens;
    words[at + MERGE_KV_HEAD] = words[item + ITEM_KV_HEAD_BEGIN];
    words[at + MERGE_PARTIALS_BEGIN] = piece;
    words[at + MERGE_NUM_PARTIALS] = end - piece;
    words[at + MERGE_ARRIVALS] = 0;
    const isInKernel = words[tile + TILE_CLASS] === TILE_DECODE;
    words[at + MERGE_IN_KERNEL] = isInKernel ? 1 : 0;
    if (!isInKernel) numLaunched++;
    at += MERGE_WORDS;
    const numRows = numTokens * groupSize;
    for (let pieceItem = item; piece < end; piece++, pieceItem += ITEM_WORDS) {
      words[partialsOffset + piece] = partialRow;
      partialRow += numRows;
      const place = piece < numPiecesApart ? workOffset + itemOfPiece[piece] * ITEM_WORDS : pieceItem;
      if (isInKernel) words[place + ITEM_MERGE] = unit;
    }
  }
  return numLaunched;
}

/**
 * Merges of composed tiles: one for each KV head and each run of tokens that all levels treat alike (the common refinement of their
 * tiles), unless a single final item wrote it. Partials are listed outermost level first, then by KV range.
 */
export class RunMerger {
  /** Merges of the last plan. */
  numMerges = 0;
  /** Entries of `partials` of the last plan. */
  numPartials = 0;
  /** [numTiles, numKvHeads]: the first item of each unit. */
  #firstItem: Int32Array = new Int32Array(0);
  readonly #config: CheckedConfig;

  /** For plans of one config. */
  constructor(config: CheckedConfig) {
    this.#config = config;
  }

  /** Writes merges and partials. */
  write(composed: ComposedTiles, tiles: TileList, scheduler: Scheduler, words: Int32Array, layout: PlanLayout): void {
    this.numMerges = 0;
    this.numPartials = 0;
    if (scheduler.numPartialRows === 0) return;
    this.#indexItems(tiles, scheduler, words, layout);
    const { numTokens } = composed;
    for (let begin = 0; begin < numTokens;) {
      let end = begin + 1;
      while (end < numTokens && continuesRun(composed, end)) end++;
      if (composed.numCovers[begin] > 0) {
        this.#writeRun(composed, words, layout, begin, end - begin, scheduler.numWorkItems);
      }
      begin = end;
    }
  }

  #indexItems(tiles: TileList, scheduler: Scheduler, words: Int32Array, { workOffset }: PlanLayout): void {
    const { numKvHeads } = this.#config;
    if (this.#firstItem.length < tiles.count * numKvHeads) {
      this.#firstItem = new Int32Array(Math.ceil(tiles.count * numKvHeads * 1.5));
    }
    const firstItem = this.#firstItem;
    for (let item = 0; item < scheduler.numWorkItems; item++) {
      const at = workOffset + item * ITEM_WORDS;
      const tile = words[at + ITEM_TILE];
      if (words[at + ITEM_KV_BEGIN] !== tiles.kvBegin[tile]) continue;
      const headBegin = words[at + ITEM_KV_HEAD_BEGIN];
      const headEnd = headBegin + words[at + ITEM_NUM_KV_HEADS];
      for (let head = headBegin; head < headEnd; head++) firstItem[tile * numKvHeads + head] = item;
    }
  }

  #writeRun(
    composed: ComposedTiles,
    words: Int32Array,
    layout: PlanLayout,
    token: number,
    numTokens: number,
    numWorkItems: number,
  ): void {
    const { tilesOffset, workOffset, mergesOffset, partialsOffset } = layout;
    const { numKvHeads, groupSize } = this.#config;
    for (let head = 0; head < numKvHeads; head++) {
      const partialsBegin = this.numPartials;
      for (let l = 0; l < composed.numLevels; l++) {
        const tile = composed.tileOf[l * composed.numTokens + token];
        if (tile < 0) continue;
        const firstRow = composed.indexOf[l * composed.numTokens + token] * groupSize;
        const rowsOfHead = words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS] * groupSize;
        // The pieces of a unit are neighbours, and one KV head each; an item of several KV heads is whole.
        for (let item = this.#firstItem[tile * numKvHeads + head]; item < numWorkItems; item++) {
          const at = workOffset + item * ITEM_WORDS;
          const headBegin = words[at + ITEM_KV_HEAD_BEGIN];
          if (
            words[at + ITEM_TILE] !== tile || headBegin > head ||
            headBegin + words[at + ITEM_NUM_KV_HEADS] <= head
          ) break;
          if (words[at + ITEM_PARTIAL_ROW] < 0) break;
          words[partialsOffset + this.numPartials++] = words[at + ITEM_PARTIAL_ROW] +
            (head - headBegin) * rowsOfHead + firstRow;
        }
      }
      if (this.numPartials === partialsBegin) continue;
      const at = mergesOffset + this.numMerges++ * MERGE_WORDS;
      words[at + MERGE_TOKEN_BEGIN] = token;
      words[at + MERGE_NUM_TOKENS] = numTokens;
      words[at + MERGE_KV_HEAD] = head;
      words[at + MERGE_PARTIALS_BEGIN] = partialsBegin;
      words[at + MERGE_NUM_PARTIALS] = this.numPartials - partialsBegin;
      words[at + MERGE_IN_KERNEL] = 0;
      words[at + MERGE_ARRIVALS] = 0;
    }
  }
}

/** True if all levels treat `token` as the next one after `token - 1`. */
function continuesRun({ tileOf, indexOf, numTokens, numLevels }: ComposedTiles, token: number): boolean {
  for (let l = 0; l < numLevels; l++) {
    const at = l * numTokens + token;
    if (tileOf[at] !== tileOf[at - 1] || (tileOf[at] >= 0 && indexOf[at] !== indexOf[at - 1] + 1)) return false;
  }
  return true;
}

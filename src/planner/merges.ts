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
import type { TileList } from "./tiles.ts";

/**
 * Merges of a plan whose tokens have one tile each, side by side: one for each unit that was cut, over the tile's tokens. The
 * pieces of a unit are neighbours in the list of items.
 *
 * @returns the number of merges; `partials` has one entry a piece, in the same order.
 */
export function writeCutMerges(
  scheduler: Scheduler,
  words: Int32Array,
  { tilesOffset, workOffset, mergesOffset, partialsOffset }: PlanLayout,
): number {
  const { numCutUnits, cutUnitItem, cutUnitPieces } = scheduler;
  let numPartials = 0;
  for (let unit = 0; unit < numCutUnits; unit++) {
    let item = workOffset + cutUnitItem[unit] * WORK_ITEM.words;
    const tile = tilesOffset + words[item + WORK_ITEM.tile] * ROW_TILE.words;
    const numPieces = cutUnitPieces[unit];
    const at = mergesOffset + unit * MERGE_ITEM.words;
    words[at + MERGE_ITEM.tokenBegin] = words[tile + ROW_TILE.tokenBegin];
    words[at + MERGE_ITEM.numTokens] = words[tile + ROW_TILE.numTokens];
    words[at + MERGE_ITEM.kvHead] = words[item + WORK_ITEM.kvHeadBegin];
    words[at + MERGE_ITEM.partialsBegin] = numPartials;
    words[at + MERGE_ITEM.numPartials] = numPieces;
    words[at + MERGE_ITEM.reserved0] = 0;
    words[at + MERGE_ITEM.reserved1] = 0;
    words[at + MERGE_ITEM.reserved2] = 0;
    for (let piece = 0; piece < numPieces; piece++) {
      words[partialsOffset + numPartials++] = words[item + WORK_ITEM.partialRow];
      item += WORK_ITEM.words;
    }
  }
  return numCutUnits;
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
      const at = workOffset + item * WORK_ITEM.words;
      const tile = words[at + WORK_ITEM.tile];
      if (words[at + WORK_ITEM.kvBegin] !== tiles.kvBegin[tile]) continue;
      const headBegin = words[at + WORK_ITEM.kvHeadBegin];
      const headEnd = headBegin + words[at + WORK_ITEM.numKvHeads];
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
        const rowsOfHead = words[tilesOffset + tile * ROW_TILE.words + ROW_TILE.numTokens] * groupSize;
        // The pieces of a unit are neighbours, and one KV head each; an item of several KV heads is whole.
        for (let item = this.#firstItem[tile * numKvHeads + head]; item < numWorkItems; item++) {
          const at = workOffset + item * WORK_ITEM.words;
          const headBegin = words[at + WORK_ITEM.kvHeadBegin];
          if (
            words[at + WORK_ITEM.tile] !== tile || headBegin > head ||
            headBegin + words[at + WORK_ITEM.numKvHeads] <= head
          ) break;
          if (words[at + WORK_ITEM.partialRow] < 0) break;
          words[partialsOffset + this.numPartials++] = words[at + WORK_ITEM.partialRow] +
            (head - headBegin) * rowsOfHead + firstRow;
        }
      }
      if (this.numPartials === partialsBegin) continue;
      const at = mergesOffset + this.numMerges++ * MERGE_ITEM.words;
      words[at + MERGE_ITEM.tokenBegin] = token;
      words[at + MERGE_ITEM.numTokens] = numTokens;
      words[at + MERGE_ITEM.kvHead] = head;
      words[at + MERGE_ITEM.partialsBegin] = partialsBegin;
      words[at + MERGE_ITEM.numPartials] = this.numPartials - partialsBegin;
      words[at + MERGE_ITEM.reserved0] = 0;
      words[at + MERGE_ITEM.reserved1] = 0;
      words[at + MERGE_ITEM.reserved2] = 0;
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

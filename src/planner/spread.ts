/**
 * Small batches: every unit is spread over CTAs of its own, one piece each.
 *
 * Equal shares would give most CTAs the end of one unit and the beginning of another. Starting, ending and merging a piece takes a CTA as long as
 * several steps, and a small batch has few steps a CTA. Here no CTA has two pieces. They are less equal, which costs little on a GPU: a CTA that
 * ends early leaves its part of memory's rate to the others.
 *
 * The length of pieces is the smallest, in steps, by which no more pieces come out than there are CTAs. A unit's pieces differ by one step at most. If a
 * batch is so uneven that they would be more than 1.75 times as long as equal shares, it has equal shares.
 *
 * Worked example: 16 requests of 1024 tokens, 8 KV heads, 264 CTAs: 128 units of 16 steps. Two pieces of 8 steps each are 256 pieces, and three would be
 * 384. Equal shares would have 7.75 steps, and 368 pieces.
 *
 * @module
 */
import { ROW_TILE } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import { numPiecesOf, stepOfPiece } from "./equal_pieces.ts";
import type { CheckedConfig } from "./problem.ts";
import { type Scheduler, writeItem } from "./schedule.ts";
import type { TileList } from "./tiles.ts";

const { words: TILE_WORDS, numTokens: TILE_NUM_TOKENS } = ROW_TILE;

/** Pieces may be so many times as long as equal shares would be. */
const MAX_UNEVENNESS = 1.75;

/** Spreads the tiles of the shares, all decode tiles, in pieces of at most `longest` steps. */
export function spreadUnits(
  config: CheckedConfig,
  tiles: TileList,
  scheduler: Scheduler,
  words: Int32Array,
  layout: PlanLayout,
  longest: number,
): void {
  const { numKvHeads, groupSize, limits: { numCtas, decodeKvTile } } = config;
  const { shareTiles, shareCount, numSteps, kvBegin, kvEnd, freeBegin, freeEnd, isPartial } = tiles;
  const { tilesOffset, workOffset, ctaBeginOffset } = layout;
  let item = scheduler.numWorkItems;
  let cta = 0;
  let partialRows = scheduler.numPartialRows;
  words[ctaBeginOffset] = item;
  for (let place = 0; place < shareCount; place++) {
    const tile = shareTiles[place];
    const numTokens = words[tilesOffset + tile * TILE_WORDS + TILE_NUM_TOKENS];
    const numRows = numTokens * groupSize;
    const steps = numSteps[tile];
    const numPieces = numPiecesOf(steps, longest);
    const begin = kvBegin[tile];
    const firstKv = begin - begin % decodeKvTile;
    for (let head = 0; head < numKvHeads; head++) {
      if (numPieces > 1) scheduler.noteCutUnit(item, numPieces);
      let pieceEnd = begin;
      for (let piece = 1; piece <= numPieces; piece++) {
        const pieceBegin = pieceEnd;
        pieceEnd = piece === numPieces ? kvEnd[tile] : firstKv + stepOfPiece(steps, numPieces, piece) * decodeKvTile;
        const isFree = pieceBegin === pieceEnd || (pieceBegin >= freeBegin[tile] && pieceEnd <= freeEnd[tile]);
        const hasPartial = numPieces > 1 || isPartial[tile] === 1;
        writeItem(
          words,
          workOffset,
          item++,
          tile,
          head,
          1,
          pieceBegin,
          pieceEnd,
          hasPartial ? partialRows : -1,
          isFree,
        );
        if (hasPartial) partialRows += numRows;
        words[ctaBeginOffset + ++cta] = item;
      }
    }
  }
  words.fill(item, ctaBeginOffset + cta, ctaBeginOffset + numCtas + 1);
  scheduler.numWorkItems = item;
  scheduler.numPartialRows = partialRows;
}

/**
 * The smallest length of pieces, in steps, by which there are no more of them than CTAs; -1 if there are more units than CTAs, or if that length is
 * more than `MAX_UNEVENNESS` times what equal shares would have.
 */
export function stepsOfPieces(
  { numKvHeads }: CheckedConfig,
  { shareTiles, shareCount, numSteps }: TileList,
  numCtas: number,
): number {
  const most = Math.floor(numCtas / numKvHeads);
  if (shareCount > most) return -1;
  let total = 0;
  let longest = 1;
  for (let place = 0; place < shareCount; place++) {
    const steps = numSteps[shareTiles[place]];
    total += steps;
    if (steps > longest) longest = steps;
  }
  const equal = most === 0 ? 1 : Math.max(1, Math.ceil(total / most));
  let shortest = equal;
  while (shortest < longest) {
    const middle = (shortest + longest) >> 1;
    let count = 0;
    for (let place = 0; place < shareCount; place++) count += numPiecesOf(numSteps[shareTiles[place]], middle);
    if (count <= most) longest = middle;
    else shortest = middle + 1;
  }
  return longest > MAX_UNEVENNESS * equal ? -1 : longest;
}

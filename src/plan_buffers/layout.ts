/**
 * Where each section of a plan lies in its one i32 buffer, and how large each can get.
 *
 * A plan made for a graph keeps the offsets of its capacity for ever, so that the captured launch finds every later plan. Other plans
 * keep theirs until a batch needs more room.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { CTA_START, MERGE_ITEM, PLAN_HEADER, ROW_ENTRY, ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";

/** The largest number of entries of each section. */
export interface PlanBounds {
  /** Shares of work; exact. */
  readonly numCtas: number;
  /** Entries of `tiles`. */
  readonly maxTiles: number;
  /** Entries of `work`. */
  readonly maxWorkItems: number;
  /** Entries of `merges`. */
  readonly maxMerges: number;
  /** Entries of `partials`. */
  readonly maxPartials: number;
  /** Entries of `rows`. */
  readonly maxRowEntries: number;
  /** Entries of `starts`: one a CTA, or none. */
  readonly numStarts: number;
  /** Page ids of all levels. */
  readonly maxKvIndices: number;
  /** Rows of the workspace; not a section of the plan. */
  readonly maxPartialRows: number;
}

/** Bounds, and the first word of each section. */
export interface PlanLayout extends PlanBounds {
  /** `i32[numCtas + 1]` */
  readonly ctaBeginOffset: number;
  /** `fp_row_tile[maxTiles]` */
  readonly tilesOffset: number;
  /** `fp_work_item[maxWorkItems]` */
  readonly workOffset: number;
  /** `fp_merge_item[maxMerges]` */
  readonly mergesOffset: number;
  /** `i32[maxPartials]` */
  readonly partialsOffset: number;
  /** `fp_row_entry[maxRowEntries]` */
  readonly rowsOffset: number;
  /** `fp_cta_start[numStarts]`; 0: there are none. */
  readonly startsOffset: number;
  /** `i32[maxKvIndices]`: page ids of all levels. On the device only: the host's words end here. */
  readonly kvIndicesOffset: number;
  /** Words of the host's part: header to starts. */
  readonly numPlanWords: number;
  /** Words of the device buffer: page ids included. */
  readonly numWords: number;
}

/** What bounds a plan: the batch, and how rows become tiles. */
export interface PlanExtent {
  readonly numCtas: number;
  /** CTAs that draw from the queue; 0: there is none. */
  readonly prefillCtas: number;
  readonly numStarts: number;
  readonly numKvHeads: number;
  /** Query heads a KV head. */
  readonly groupSize: number;
  readonly decodeRows: number;
  readonly prefillRows: number;
  readonly maxTokens: number;
  readonly maxRequests: number;
  /** Query tokens of a request; `maxTokens` if nothing else is known. */
  readonly maxQoLen: number;
  readonly maxLevels: number;
  /** True if block rows may hold tokens of several requests. */
  readonly sharesRows: boolean;
  readonly maxKvIndices: number;
  /** Of a batch-invariant plan, which has no levels; undefined: cuts are where shares end. */
  readonly pieces?: PieceBounds;
}

/** What cuts by the request alone come to. They are the planner's to derive: `src/planner/pieces.ts`. */
export interface PieceBounds {
  /** Pieces of all units that are cut. */
  readonly maxPieces: number;
  /** Units (tile, KV head) that are cut. */
  readonly maxCutUnits: number;
  /** Rows of all pieces. */
  readonly maxPieceRows: number;
}

/** Sections begin at multiples of this many words (128 bytes), so that the device reads them in whole lines. */
const SECTION_ALIGNMENT = 32;

/**
 * The exact worst case over all batches within an extent.
 *
 * With T tokens in R requests, P tokens a prefill tile, H KV heads, C CTAs, D CTAs that draw from the queue, and L levels:
 * - tiles of one level: a request's first token opens a tile and each P further tokens open another, so at most R + (T - R) / P. Without levels
 *   also no more than R requests of `maxQoLen` tokens have; and if those fit a decode tile, there is no queue.
 *   With several levels, tokens that no level covers get tiles of their own: one more level's worth.
 * - work items: one for each tile, and each of the C - 1 cuts adds at most three (the heads before, the head cut in two, the heads after).
 *   Of the queue's tiles some are cut into single heads: fewer than 2 D units that are longer than half a share, or at most D + H of the last
 *   round; and D - 1 cuts.
 * - partial rows: a cut adds one piece of one tile's rows, of a decode tile where the others are in the queue; the first piece of each unit
 *   (tile, KV head) is a partial if the unit is cut or its tokens have several levels. So all cuts' rows and all units' rows, and without
 *   levels at most twice the cuts' rows.
 * - merges: without shared rows one for each unit cut. Else one for each KV head and run of tokens that all levels treat alike:
 *   runs begin where a tile begins, or a request in a shared tile.
 *
 * A batch-invariant plan has the pieces that `extent.pieces` bounds, each an item, a partial and partial rows; the tiles that are not cut are one
 * item each, and each end of a share between two of a tile's KV heads adds one.
 */
export function boundsOfExtent(extent: PlanExtent): PlanBounds {
  const { numCtas, numKvHeads, groupSize, decodeRows, prefillRows, maxLevels, sharesRows, maxKvIndices } = extent;
  const { numStarts, pieces } = extent;
  const numTokens = extent.maxTokens;
  const numRequests = Math.min(extent.maxRequests, numTokens);
  const composes = maxLevels > 1 || sharesRows;
  // Rows of several requests make longer ones.
  const rowTokens = composes ? numTokens : Math.min(numTokens, extent.maxQoLen);
  const tokensPerTile = Math.floor(prefillRows / groupSize);
  const tokensPerDecodeTile = Math.floor(decodeRows / groupSize);
  const prefillCtas = rowTokens <= tokensPerDecodeTile ? 0 : extent.prefillCtas;
  const shareCuts = numCtas - 1;
  const queueCuts = Math.max(0, prefillCtas - 1);
  const cuts = shareCuts + queueCuts;
  const tilesPerLevel = Math.min(
    numRequests + Math.floor((numTokens - numRequests) / tokensPerTile),
    composes ? Infinity : numRequests * Math.ceil(rowTokens / tokensPerTile),
  );
  const tileTokens = Math.min(rowTokens, Math.max(tokensPerTile, tokensPerDecodeTile));
  const shareTokens = prefillCtas > 0 ? Math.min(rowTokens, tokensPerDecodeTile) : tileTokens;
  const unitRows = numKvHeads * numTokens * groupSize;
  const maxTiles = composes ? (maxLevels + 1) * tilesPerLevel : tilesPerLevel;
  if (pieces !== undefined) {
    return {
      numCtas,
      maxTiles,
      maxWorkItems: maxTiles + shareCuts + pieces.maxPieces,
      maxMerges: pieces.maxCutUnits,
      maxPartials: pieces.maxPieces,
      maxRowEntries: 0,
      numStarts,
      maxKvIndices,
      maxPartialRows: pieces.maxPieceRows,
    };
  }
  const numRuns = Math.min(numTokens, (maxLevels + 1) * (tilesPerLevel + numRequests));
  const cutRows = (shareCuts * shareTokens + queueCuts * tileTokens) * groupSize;
  return {
    numCtas,
    maxTiles,
    maxWorkItems: maxTiles + Math.min(3, numKvHeads) * cuts + (prefillCtas > 0 ? 2 * prefillCtas + numKvHeads : 0),
    maxMerges: composes ? numRuns * numKvHeads : cuts,
    maxPartials: composes ? numRuns * numKvHeads * maxLevels + cuts * tileTokens : 2 * cuts,
    maxRowEntries: composes ? maxLevels * numTokens : 0,
    numStarts,
    maxKvIndices,
    maxPartialRows: maxLevels > 1 ? cutRows + maxLevels * unitRows : cutRows + Math.min(cutRows, unitRows),
  };
}

/** Places the sections. @throws {InvalidArgumentError} if the plan or its workspace has more entries than 32 bits count. */
export function layoutOfBounds(bounds: PlanBounds): PlanLayout {
  let end = PLAN_HEADER.words;
  const place = (count: number, words: number): number => {
    const offset = Math.ceil(end / SECTION_ALIGNMENT) * SECTION_ALIGNMENT;
    end = offset + count * words;
    return offset;
  };
  const ctaBeginOffset = place(bounds.numCtas + 1, 1);
  const tilesOffset = place(bounds.maxTiles, ROW_TILE.words);
  const workOffset = place(bounds.maxWorkItems, WORK_ITEM.words);
  const mergesOffset = place(bounds.maxMerges, MERGE_ITEM.words);
  const partialsOffset = place(bounds.maxPartials, 1);
  const rowsOffset = place(bounds.maxRowEntries, ROW_ENTRY.words);
  const startsOffset = bounds.numStarts === 0 ? 0 : place(bounds.numStarts, CTA_START.words);
  const kvIndicesOffset = place(bounds.maxKvIndices, 1);
  if (end > 0x7fffffff || bounds.maxPartialRows > 0x7fffffff) {
    throw new InvalidArgumentError(
      `Cannot lay out a plan of ${bounds.maxTiles} tiles: it needs ${end} words and ${bounds.maxPartialRows} partial rows, and 2^31 - 1 are countable. ` +
        "Lower maxTokens, maxLevels or maxPages.",
    );
  }
  return {
    ...bounds,
    ctaBeginOffset,
    tilesOffset,
    workOffset,
    mergesOffset,
    partialsOffset,
    rowsOffset,
    startsOffset,
    kvIndicesOffset,
    numPlanWords: kvIndicesOffset,
    numWords: end,
  };
}

/** True if a plan within `needed` fits a layout. Workspace rows are not compared: they follow the plan, not its layout. */
export function fitsLayout(layout: PlanBounds, needed: PlanBounds): boolean {
  return needed.numCtas <= layout.numCtas && needed.maxTiles <= layout.maxTiles &&
    needed.maxWorkItems <= layout.maxWorkItems &&
    needed.maxMerges <= layout.maxMerges && needed.maxPartials <= layout.maxPartials &&
    needed.maxRowEntries <= layout.maxRowEntries && needed.numStarts <= layout.numStarts &&
    needed.maxKvIndices <= layout.maxKvIndices;
}

/** The larger of two bounds, section by section, with half as much again: room to grow in few steps. */
export function grownBounds(old: PlanBounds | undefined, needed: PlanBounds): PlanBounds {
  const grow = (before: number, now: number): number => now <= before ? before : Math.ceil(now * 1.5);
  return {
    numCtas: needed.numCtas,
    maxTiles: grow(old?.maxTiles ?? 0, needed.maxTiles),
    maxWorkItems: grow(old?.maxWorkItems ?? 0, needed.maxWorkItems),
    maxMerges: grow(old?.maxMerges ?? 0, needed.maxMerges),
    maxPartials: grow(old?.maxPartials ?? 0, needed.maxPartials),
    maxRowEntries: grow(old?.maxRowEntries ?? 0, needed.maxRowEntries),
    numStarts: needed.numStarts,
    maxKvIndices: grow(old?.maxKvIndices ?? 0, needed.maxKvIndices),
    maxPartialRows: needed.maxPartialRows,
  };
}

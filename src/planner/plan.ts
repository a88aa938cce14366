/**
 * A plan: what one attention launch does, as plain words, and as objects for whoever wants to read it.
 *
 * @module
 */
import { MERGE_ITEM, PLAN_HEADER, ROW_ENTRY, ROW_TILE, WORK_ITEM } from "../ffi/structs.gen.ts";
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { CostModel } from "./cost.ts";
import type { PlannerLimits } from "./problem.ts";

/** One `fp_row_tile`. */
export interface RowTileView {
  /** How many rows it may hold, and which kernel computes it. */
  readonly tileClass: "decode" | "prefill";
  /** First row of q; if gathered, first row entry. */
  readonly tokenBegin: number;
  /** Query tokens. */
  readonly numTokens: number;
  /** True if row entries list its tokens and positions. */
  readonly gathered: boolean;
  /** Logical position of the first token, unless gathered. */
  readonly qoPosBegin: number;
  /** Index into the page ids of the page that holds KV token 0 of the list. */
  readonly pageBegin: number;
  /** Logical position of KV token 0 of the list. */
  readonly kvPosBegin: number;
  /** KV tokens of the list. */
  readonly kvLen: number;
  /** First byte of the request's mask; -1: none. */
  readonly maskByteBegin: number;
  /** Columns of that mask. */
  readonly maskStrideBits: number;
  /** Row of that mask that is the first token's. */
  readonly maskRowBegin: number;
}

/** One `fp_work_item`. */
export interface WorkItemView {
  /** Index of its tile. */
  readonly tile: number;
  /** First KV head. */
  readonly kvHeadBegin: number;
  /** KV heads, one after another. */
  readonly numKvHeads: number;
  /** First KV token of the list. */
  readonly kvBegin: number;
  /** End of the KV tokens, not included. */
  readonly kvEnd: number;
  /** -1: the result is final. */
  readonly partialRow: number;
  /** False if every row sees every token of the range. */
  readonly needsMask: boolean;
  /** The merge of a piece, if that is `inKernel`; else -1. */
  readonly merge: number;
}

/** One `fp_merge_item`, with its partials. */
export interface MergeItemView {
  /** First row of q. */
  readonly tokenBegin: number;
  /** Query tokens. */
  readonly numTokens: number;
  /** Whose query heads it is about. */
  readonly kvHead: number;
  /** First workspace row of each partial, in order. */
  readonly partials: readonly number[];
  /** True if on a GPU the CTA that is the last to finish one of its pieces merges. */
  readonly inKernel: boolean;
}

/** One `fp_row_entry`. */
export interface RowEntryView {
  /** Row of q. */
  readonly token: number;
  /** Its logical position. */
  readonly qoPos: number;
}

/** A plan as JSON: for logs, golden files and comparison. */
export interface PlanJson {
  /** Rows of q. */
  readonly numTokens: number;
  /** Query heads a KV head. */
  readonly groupSize: number;
  /** Heads of K and V. */
  readonly numKvHeads: number;
  /** Workspace rows that the plan writes. */
  readonly numPartialRows: number;
  /** First work item of each CTA's share: [numCtas + 1]. */
  readonly ctaBegin: readonly number[];
  /** See {@linkcode Plan}. */
  readonly numQueuedPieces: number;
  /** See {@linkcode Plan}. */
  readonly numQueuedItems: number;
  /** Query rows that run together. */
  readonly tiles: readonly RowTileView[];
  /** In the order in which CTAs walk them. */
  readonly workItems: readonly WorkItemView[];
  /** Output rows that were split. */
  readonly merges: readonly MergeItemView[];
  /** Query tokens of gathered tiles. */
  readonly rowEntries: readonly RowEntryView[];
}

/**
 * The result of `Planner.plan`. The planner has one and writes it anew each time: copy what must outlive the next plan (`planToJson`, or
 * `words.slice()`).
 */
export interface Plan {
  /** Header and sections as `flashpage.h` lays them out; `layout.numPlanWords` long. Page ids are not in it: see `kvIndices`. */
  readonly words: Int32Array<ArrayBuffer>;
  /** Where the sections lie, and their capacities: what `fp_attention_args` wants. */
  readonly layout: PlanLayout;
  /** Page ids: the first `kvIndexCounts[i]` of each array, one after another, are the device's `kv_indices`. One array a level. */
  readonly kvIndices: readonly Int32Array[];
  /** See `kvIndices`. */
  readonly kvIndexCounts: readonly number[];
  /** Sum of `kvIndexCounts`. */
  readonly numKvIndices: number;
  /** KV tokens a page. */
  readonly pageSize: number;
  /** Rows of q. */
  readonly numTokens: number;
  /** Requests of the batch. */
  readonly numRequests: number;
  /** Heads of K and V. */
  readonly numKvHeads: number;
  /** Query heads a KV head. */
  readonly groupSize: number;
  /** Entries of the section `tiles`. */
  readonly numTiles: number;
  /** Items of the shares, then pieces of the queue, then its whole items. */
  readonly numWorkItems: number;
  /** Pieces of the queue: items of one KV head, drawn first. */
  readonly numQueuedPieces: number;
  /** Whole items of the queue: drawn KV head by KV head. */
  readonly numQueuedItems: number;
  /** Entries of the section `merges`. */
  readonly numMerges: number;
  /** Entries of the section `partials`. */
  readonly numPartials: number;
  /** Entries of the section `rows`. */
  readonly numRowEntries: number;
  /** Workspace rows that this plan writes. */
  readonly numPartialRows: number;
  /** Workspace rows to reserve: `numPartialRows`, or the worst case of the capacity. `max_partial_rows` of `fp_attention_args`. */
  readonly maxPartialRows: number;
  /** Bytes of workspace for `maxPartialRows`: an f32 row of `headDimVo` and an f32 LSE each. */
  readonly workspaceBytes: number;
  /** `tile_classes` of `fp_attention_args`: bit c if the launch must be able to run class c. */
  readonly tileClasses: number;
  /** `launches_merges` of `fp_attention_args`: true if some merge needs a launch of its own. */
  readonly launchesMerges: boolean;
  /** CTAs that shares were laid for, those of the lowest indices. Fewer than `limits.numCtas` if the SMs are split (`sm_split.ts`). */
  readonly numShares: number;
  /** CTAs that draw from the queue; 0 if it is empty. Fewer than `limits.prefillCtas` if the SMs are split. */
  readonly numPrefillCtas: number;
  /** `splits_sms` of `fp_attention_args`: true if shares and queue may have SMs of their own each, and so run at the same time. */
  readonly splitsSms: boolean;
  /** True if every plan of this planner lies in the same layout. */
  readonly hasFixedCapacity: boolean;
  /** CTAs and tiles that it was made for. */
  readonly limits: PlannerLimits;
  /** What work was taken to cost. */
  readonly costs: CostModel;
}

/** What all plans within a capacity have in common. */
export interface PlanFrame {
  /** See {@linkcode Plan}. */
  readonly layout: PlanLayout;
  /** See {@linkcode Plan}. */
  readonly maxPartialRows: number;
  /** See {@linkcode Plan}. */
  readonly workspaceBytes: number;
}

/** Tile `index` of a plan. */
export function tileOfPlan({ words, layout }: Plan, index: number): RowTileView {
  const at = layout.tilesOffset + index * ROW_TILE.words;
  return {
    tileClass: words[at + ROW_TILE.tileClass] === 0 ? "decode" : "prefill",
    tokenBegin: words[at + ROW_TILE.tokenBegin],
    numTokens: words[at + ROW_TILE.numTokens],
    gathered: words[at + ROW_TILE.gathered] !== 0,
    qoPosBegin: words[at + ROW_TILE.qoPosBegin],
    pageBegin: words[at + ROW_TILE.pageBegin],
    kvPosBegin: words[at + ROW_TILE.kvPosBegin],
    kvLen: words[at + ROW_TILE.kvLen],
    maskByteBegin: words[at + ROW_TILE.maskByteBegin],
    maskStrideBits: words[at + ROW_TILE.maskStrideBits],
    maskRowBegin: words[at + ROW_TILE.maskRowBegin],
  };
}

/** Work item `index` of a plan. */
export function workItemOfPlan({ words, layout }: Plan, index: number): WorkItemView {
  const at = layout.workOffset + index * WORK_ITEM.words;
  return {
    tile: words[at + WORK_ITEM.tile],
    kvHeadBegin: words[at + WORK_ITEM.kvHeadBegin],
    numKvHeads: words[at + WORK_ITEM.numKvHeads],
    kvBegin: words[at + WORK_ITEM.kvBegin],
    kvEnd: words[at + WORK_ITEM.kvEnd],
    partialRow: words[at + WORK_ITEM.partialRow],
    needsMask: words[at + WORK_ITEM.needsMask] !== 0,
    merge: words[at + WORK_ITEM.merge],
  };
}

/** Merge `index` of a plan. */
export function mergeOfPlan({ words, layout }: Plan, index: number): MergeItemView {
  const at = layout.mergesOffset + index * MERGE_ITEM.words;
  const begin = layout.partialsOffset + words[at + MERGE_ITEM.partialsBegin];
  return {
    tokenBegin: words[at + MERGE_ITEM.tokenBegin],
    numTokens: words[at + MERGE_ITEM.numTokens],
    kvHead: words[at + MERGE_ITEM.kvHead],
    partials: Array.from(words.subarray(begin, begin + words[at + MERGE_ITEM.numPartials])),
    inKernel: words[at + MERGE_ITEM.inKernel] !== 0,
  };
}

/** Row entry `index` of a plan. */
export function rowEntryOfPlan({ words, layout }: Plan, index: number): RowEntryView {
  const at = layout.rowsOffset + index * ROW_ENTRY.words;
  return { token: words[at + ROW_ENTRY.token], qoPos: words[at + ROW_ENTRY.qoPos] };
}

/** First work item of each CTA's share: [numCtas + 1]. */
export function ctaBeginOfPlan({ words, layout }: Plan): Int32Array {
  const numCtas = words[PLAN_HEADER.numCtas];
  return words.slice(layout.ctaBeginOffset, layout.ctaBeginOffset + numCtas + 1);
}

/** The whole plan as objects, copied. */
export function planToJson(plan: Plan): PlanJson {
  const list = <T>(count: number, read: (plan: Plan, index: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => read(plan, i));
  return {
    numTokens: plan.numTokens,
    groupSize: plan.groupSize,
    numKvHeads: plan.numKvHeads,
    numPartialRows: plan.numPartialRows,
    ctaBegin: Array.from(ctaBeginOfPlan(plan)),
    numQueuedPieces: plan.numQueuedPieces,
    numQueuedItems: plan.numQueuedItems,
    tiles: list(plan.numTiles, tileOfPlan),
    workItems: list(plan.numWorkItems, workItemOfPlan),
    merges: list(plan.numMerges, mergeOfPlan),
    rowEntries: list(plan.numRowEntries, rowEntryOfPlan),
  };
}

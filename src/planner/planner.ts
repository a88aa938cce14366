/**
 * The planner: a batch in, a plan out, in microseconds and without allocating.
 *
 * @module
 */
import { PLAN_HEADER } from "../ffi/structs.gen.ts";
import type { KvLevel } from "../formats/levels.ts";
import { MAX_KV_TOKENS, type PageTable } from "../formats/page_table.ts";
import { checkIndptr } from "../formats/ragged.ts";
import { layoutOfBounds, type PlanLayout } from "../plan_buffers/layout.ts";
import { Bundles } from "./bundles.ts";
import { ComposedTiles } from "./composed.ts";
import { RunMerger, writeCutMerges } from "./merges.ts";
import { PieceSchedule } from "./piece_schedule.ts";
import { Pieces } from "./pieces.ts";
import type { Plan, PlanFrame } from "./plan.ts";
import { PlanState, workspaceBytesOf } from "./plan_state.ts";
import { type AttentionProblem, checkConfig, type CheckedConfig, type PlannerConfig } from "./problem.ts";
import { Queue } from "./queue.ts";
import { checkMask, refuseLevels, refuseMasks, refusePages, refuseProblem } from "./refuse.ts";
import { writeRequestTiles } from "./request_tiles.ts";
import { PlanRoom } from "./room.ts";
import { Scheduler } from "./schedule.ts";
import { layShares } from "./shares.ts";
import { maySplitSms, prefillCtasOf, sharesBeside } from "./sm_split.ts";
import { CtaStarts } from "./starts.ts";
import { TILE_DECODE, TILE_PREFILL, TileList, TileTable } from "./tiles.ts";

/** Makes plans of one configuration. */
export interface Planner {
  /** The configuration, defaults filled in. */
  readonly config: CheckedConfig;
  /** Of every plan, if there is a capacity; else undefined. */
  readonly frame: PlanFrame | undefined;
  /**
   * Plans a batch. The same batch gives the same plan, word for word.
   *
   * @returns the planner's one plan, overwritten by the next call.
   * @throws {InvalidArgumentError} for a batch that contradicts itself, {CapacityError} for one beyond the capacity. The last plan is then as
   *   it was.
   */
  plan(problem: AttentionProblem): Plan;
}

/** Creates a planner. @throws {InvalidArgumentError} naming the value that is wrong. */
export function createPlanner(config: PlannerConfig): Planner {
  return new WorkPlanner(checkConfig(config));
}

class WorkPlanner implements Planner {
  readonly config: CheckedConfig;
  readonly frame: PlanFrame | undefined;
  readonly #table: TileTable;
  readonly #tiles: TileList;
  readonly #scheduler: Scheduler;
  readonly #bundles: Bundles;
  readonly #queue: Queue;
  readonly #composed: ComposedTiles;
  readonly #merger: RunMerger;
  readonly #starts = new CtaStarts();
  /** Of batch-invariant plans; else undefined. */
  readonly #pieces: Pieces | undefined;
  readonly #pieceSchedule: PieceSchedule | undefined;
  readonly #room: PlanRoom;
  readonly #state: PlanState;

  constructor(config: CheckedConfig) {
    this.config = config;
    this.#table = new TileTable(config);
    this.#tiles = new TileList(config);
    this.#scheduler = new Scheduler(config, this.#tiles);
    this.#bundles = new Bundles(config);
    this.#queue = new Queue(config);
    this.#composed = new ComposedTiles(config, this.#table);
    this.#merger = new RunMerger(config);
    if (config.batchInvariant) {
      this.#pieces = new Pieces(config, this.#table);
      this.#pieceSchedule = new PieceSchedule(config, this.#tiles, this.#pieces, this.#scheduler);
    }
    this.#room = new PlanRoom(config);
    const bounds = this.#room.firstBounds(this.#pieces);
    this.#state = new PlanState(config, layoutOfBounds(bounds));
    if (config.capacity === undefined) return;
    const { maxPartialRows } = bounds;
    this.#state.maxPartialRows = maxPartialRows;
    this.frame = {
      layout: this.#state.layout,
      maxPartialRows,
      workspaceBytes: workspaceBytesOf(maxPartialRows, config.headDimVo),
    };
  }

  plan(problem: AttentionProblem): Plan {
    const { qoIndptr, pages, levels, maskIndptr } = problem;
    const numRequests = qoIndptr.length - 1;
    if (numRequests < 0 || (pages === undefined) === (levels === undefined) || levels?.length === 0) {
      refuseProblem(problem);
    }
    if (maskIndptr !== undefined && maskIndptr.length !== numRequests + 1) refuseProblem(problem);
    // One row of pages for each request is the common case, and has a path of its own: no maps from tokens to tiles.
    const table = pages ?? plainTable(qoIndptr, levels!);
    if (table !== undefined) this.#planRequests(qoIndptr, table, maskIndptr);
    else if (this.#pieces !== undefined) refuseLevels();
    else this.#planLevels(qoIndptr, levels!, maskIndptr);
    return this.#state;
  }

  #planRequests(qoIndptr: Int32Array, pages: PageTable, maskIndptr: Int32Array | undefined): void {
    const { indptr, indices, lastPageLen, pageSize } = pages;
    const numRequests = qoIndptr.length - 1;
    const numTokens = qoIndptr[numRequests];
    const numKvIndices = indptr[numRequests];
    // All checks come before the first write: a refused batch leaves the last plan as it was.
    if (lastPageLen.length !== numRequests || indptr.length !== numRequests + 1) refusePages(qoIndptr, pages);
    let isGood = qoIndptr[0] === 0 && indptr[0] === 0 && numKvIndices <= indices.length && pageSize >= 1 &&
      pageSize <= 1024 && (pageSize | 0) === pageSize;
    for (let r = 0; r < numRequests; r++) {
      const numPages = indptr[r + 1] - indptr[r];
      const last = lastPageLen[r];
      if (
        qoIndptr[r + 1] < qoIndptr[r] || numPages < 0 ||
        (numPages === 0 ? last !== 0 : last < 1 || last > pageSize || (numPages - 1) * pageSize + last > MAX_KV_TOKENS)
      ) {
        isGood = false;
      }
    }
    if (!isGood) refusePages(qoIndptr, pages);
    if (maskIndptr !== undefined) {
      for (let r = 0; r < numRequests; r++) {
        checkMask(
          maskIndptr,
          r,
          qoIndptr[r + 1] - qoIndptr[r],
          indptr[r] === indptr[r + 1] ? 0 : (indptr[r + 1] - indptr[r] - 1) * pageSize + lastPageLen[r],
        );
      }
    }
    const state = this.#state;
    if (this.#pieces === undefined) {
      this.#room.makeFor(state, qoIndptr, 1, false, numKvIndices);
    } else {
      const hasMasks = maskIndptr !== undefined && maskIndptr[numRequests] > maskIndptr[0];
      if (hasMasks && this.config.limits.prefillCtas > 0) refuseMasks();
      this.#room.makeForPieces(state, this.#pieces, qoIndptr, pages);
    }

    const { words, layout } = state;
    const tiles = this.#tiles;
    tiles.reset(words, layout.tilesOffset, layout.maxTiles);
    tiles.count = writeRequestTiles(words, layout.tilesOffset, this.#table, qoIndptr, pages, maskIndptr);
    tiles.measure();
    if (this.#schedule(words, layout, this.#bundles)) this.#starts.write(words, layout, pages);
    else this.#starts.clear(words, layout);
    const numLaunched = writeCutMerges(this.#scheduler, this.config.groupSize, words, layout);
    state.numMerges = this.#scheduler.numCutUnits;
    state.numPartials = this.#scheduler.numCutPieces;
    state.numRowEntries = 0;
    state.setNumLevels(1);
    state.kvIndices[0] = indices;
    state.kvIndexCounts[0] = numKvIndices;
    this.#finish(numTokens, numRequests, numKvIndices, pageSize, numLaunched);
  }

  #planLevels(qoIndptr: Int32Array, levels: readonly KvLevel[], maskIndptr: Int32Array | undefined): void {
    checkIndptr("qoIndptr", qoIndptr);
    const numRequests = qoIndptr.length - 1;
    const numTokens = qoIndptr[numRequests];
    const composed = this.#composed;
    composed.measure(qoIndptr, levels);
    let numKvIndices = 0;
    for (let l = 0; l < levels.length; l++) numKvIndices += levels[l].pages.indptr[levels[l].pages.lastPageLen.length];
    if (maskIndptr !== undefined) {
      for (let r = 0; r < numRequests; r++) {
        checkMask(maskIndptr, r, qoIndptr[r + 1] - qoIndptr[r], composed.kvLenOf(r));
      }
    }
    const state = this.#state;
    this.#room.makeFor(state, qoIndptr, levels.length, true, numKvIndices);

    const { words, layout } = state;
    this.#tiles.reset(words, layout.tilesOffset, layout.maxTiles);
    composed.build(this.#tiles, words, layout, qoIndptr, levels, maskIndptr);
    this.#schedule(words, layout, undefined);
    this.#starts.clear(words, layout);
    this.#merger.write(composed, this.#tiles, this.#scheduler, words, layout);
    state.numMerges = this.#merger.numMerges;
    state.numPartials = this.#merger.numPartials;
    state.numRowEntries = composed.numRowEntries;
    state.setNumLevels(levels.length);
    for (let l = 0; l < levels.length; l++) {
      state.kvIndices[l] = levels[l].pages.indices;
      state.kvIndexCounts[l] = levels[l].pages.indptr[levels[l].pages.lastPageLen.length];
    }
    this.#finish(numTokens, numRequests, numKvIndices, levels[0].pages.pageSize, state.numMerges);
  }

  /** Returns true if units were spread, one item a CTA. Without `bundles`, pieces of a unit are neighbours. */
  #schedule(words: Int32Array, layout: PlanLayout, bundles: Bundles | undefined): boolean {
    const scheduler = this.#scheduler;
    const state = this.#state;
    scheduler.begin();
    state.numPrefillCtas = prefillCtasOf(this.config, this.#tiles);
    state.numShares = sharesBeside(this.config, state.numPrefillCtas);
    if (this.#pieces !== undefined && this.#pieceSchedule !== undefined) {
      scheduler.reserveCutUnits(layout.maxMerges);
      this.#pieces.cut(words, layout, this.#tiles);
      this.#pieceSchedule.layShares(words, layout);
      this.#queue.appendPieces(this.#tiles, this.#pieceSchedule, scheduler, words, layout);
      return false;
    }
    const isSpread = layShares(this.config, this.#tiles, scheduler, bundles, words, layout, state.numShares);
    this.#queue.append(this.#tiles, scheduler, words, layout, state.numPrefillCtas);
    return isSpread;
  }

  #finish(
    numTokens: number,
    numRequests: number,
    numKvIndices: number,
    pageSize: number,
    numLaunchedMerges: number,
  ): void {
    const state = this.#state;
    const { words, layout } = state;
    this.#queue.orderPieces(words, layout, this.#scheduler.numWorkItems);
    state.numTokens = numTokens;
    state.numRequests = numRequests;
    state.numKvIndices = numKvIndices;
    state.pageSize = pageSize;
    state.numTiles = this.#tiles.count;
    state.numWorkItems = this.#scheduler.numWorkItems;
    state.numQueuedPieces = this.#queue.numPieces;
    state.numQueuedItems = this.#queue.numItems;
    state.numPartialRows = this.#scheduler.numPartialRows;
    if (!state.hasFixedCapacity) {
      state.maxPartialRows = state.numPartialRows;
      state.tileClasses = this.#tiles.classes;
      state.launchesMerges = numLaunchedMerges > 0;
      state.splitsSms = state.numShares < this.config.limits.numCtas;
    } else {
      state.tileClasses = this.#classesOfCapacity();
      const mayPrefill = (state.tileClasses & (1 << TILE_PREFILL)) !== 0;
      state.splitsSms = mayPrefill && maySplitSms(this.config);
      state.launchesMerges = mayPrefill || this.config.capacity!.maxLevels > 1;
    }
    state.workspaceBytes = workspaceBytesOf(state.maxPartialRows, this.config.headDimVo);
    words[PLAN_HEADER.numTiles] = state.numTiles;
    words[PLAN_HEADER.numWorkItems] = state.numWorkItems;
    words[PLAN_HEADER.numCtas] = this.config.limits.numCtas;
    words[PLAN_HEADER.numMerges] = state.numMerges;
    words[PLAN_HEADER.numPartialRows] = state.numPartialRows;
    words[PLAN_HEADER.numPartials] = state.numPartials;
    words[PLAN_HEADER.numRowEntries] = state.numRowEntries;
    words[PLAN_HEADER.numQueuedPieces] = state.numQueuedPieces;
    words[PLAN_HEADER.numQueuedItems] = state.numQueuedItems;
    words[PLAN_HEADER.queueNext] = 0;
    words[PLAN_HEADER.status] = 0;
    words[PLAN_HEADER.statusRequest] = 0;
    words[PLAN_HEADER.numPrefillCtas] = state.numPrefillCtas;
  }

  /** Classes that some batch within the capacity may need. */
  #classesOfCapacity(): number {
    const { maxTokens, maxQoLen, maxLevels } = this.config.capacity!;
    const decode = this.#table.decodeTokens > 0 ? 1 << TILE_DECODE : 0;
    // Rows of a level may be of several requests.
    const longest = maxLevels > 1 ? maxTokens : Math.min(maxTokens, maxQoLen);
    return longest > this.#table.decodeTokens ? decode | (1 << TILE_PREFILL) : decode;
  }
}

/** The page table of levels that are no more than one row of pages for each request. */
function plainTable(qoIndptr: Int32Array, levels: readonly KvLevel[]): PageTable | undefined {
  if (levels.length !== 1 || levels[0].rowIndices !== undefined) return undefined;
  const { rowIndptr, pages } = levels[0];
  if (rowIndptr === qoIndptr) return pages;
  if (rowIndptr.length !== qoIndptr.length) return undefined;
  for (let i = 0; i < qoIndptr.length; i++) if (rowIndptr[i] !== qoIndptr[i]) return undefined;
  return pages;
}

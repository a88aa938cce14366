/**
 * Reading back a plan that the device made: what was wrong with the batch, if anything, and the plan.
 *
 * @module
 */
import { CapacityError, InvalidArgumentError } from "../errors.ts";
import { PLAN_HEADER, PlanStatus, ROW_TILE } from "../ffi/structs.gen.ts";
import type { Plan, PlanFrame } from "../planner/plan.ts";
import type { CheckedConfig } from "../planner/problem.ts";
import { TILE_DECODE } from "../planner/tiles.ts";
import type { DeviceBatchShape, DevicePlanOptions } from "./device_plan.ts";

/** Refuses the header of a plan that the device did not make. @throws {InvalidArgumentError | CapacityError} naming what was wrong with the batch. */
export function checkDeviceStatus(
  header: Int32Array,
  { numTokens, maxKvIndices }: DeviceBatchShape,
  { pages: { pageSize, kvLens }, maxQoLen = 1 }: DevicePlanOptions,
): void {
  const request = `request ${header[PLAN_HEADER.statusRequest]}`;
  const invalid = (what: string) =>
    new InvalidArgumentError(`The device refused to plan: ${what} The plan does nothing.`);
  const beyond = (what: string) => new CapacityError(`The device refused to plan: ${what} The plan does nothing.`);
  switch (header[PLAN_HEADER.status]) {
    case PlanStatus.GOOD:
      return;
    case PlanStatus.QO_INDPTR:
      throw invalid(`qoIndptr falls at ${request}, or does not start with 0.`);
    case PlanStatus.QO_LEN:
      throw beyond(`${request} has more query tokens than maxQoLen, ${maxQoLen}.`);
    case PlanStatus.NUM_TOKENS:
      throw beyond(`there are more than ${numTokens} query tokens up to the end of ${request}.`);
    case PlanStatus.PAGE_INDPTR:
      throw invalid(`pages.indptr falls at ${request}, or does not start with 0.`);
    case PlanStatus.NUM_PAGES:
      throw beyond(
        `pages.indptr counts more than the ${maxKvIndices} page ids there are, up to the end of ${request}.`,
      );
    case PlanStatus.LAST_PAGE_LEN:
      throw invalid(`lastPageLen of ${request} is not 1 to ${pageSize}, or not 0 without pages.`);
    case PlanStatus.KV_LEN:
      throw invalid(
        kvLens === undefined
          ? `${request} has more than 2^30 - 1 KV tokens.`
          : `kvLens of ${request} is negative, or with its query tokens more than its pages hold.`,
      );
    case PlanStatus.CAPACITY:
      throw beyond("it has more tiles, work items or partial rows than there is room for.");
    default:
      throw invalid("its status word is unknown. The plan's memory was overwritten.");
  }
}

/**
 * A plan from its words as the device wrote them.
 *
 * @param words of the plan's buffer, from the header on; `layout.numPlanWords` at least.
 */
export function planOfDeviceWords(
  words: Int32Array<ArrayBuffer>,
  config: CheckedConfig,
  { layout, maxPartialRows, workspaceBytes }: PlanFrame,
  { maxKvIndices }: DeviceBatchShape,
  { pages: { pageSize } }: DevicePlanOptions,
): Plan {
  const numTiles = words[PLAN_HEADER.numTiles];
  const lastTile = layout.tilesOffset + (numTiles - 1) * ROW_TILE.words;
  return {
    words: words.slice(0, layout.numPlanWords),
    layout,
    kvIndices: [],
    kvIndexCounts: [],
    numKvIndices: maxKvIndices,
    pageSize,
    numTokens: numTiles === 0 ? 0 : words[lastTile + ROW_TILE.tokenBegin] + words[lastTile + ROW_TILE.numTokens],
    // A tile is all of a request's query tokens; of requests without any the plan does not know.
    numRequests: numTiles,
    numKvHeads: config.numKvHeads,
    groupSize: config.groupSize,
    numTiles,
    numWorkItems: words[PLAN_HEADER.numWorkItems],
    numQueuedPieces: 0,
    numQueuedItems: 0,
    numMerges: words[PLAN_HEADER.numMerges],
    numPartials: words[PLAN_HEADER.numPartials],
    numRowEntries: 0,
    numPartialRows: words[PLAN_HEADER.numPartialRows],
    maxPartialRows,
    workspaceBytes,
    tileClasses: 1 << TILE_DECODE,
    launchesMerges: false,
    numShares: config.limits.numCtas,
    numPrefillCtas: 0,
    splitsSms: false,
    hasFixedCapacity: true,
    limits: config.limits,
    costs: config.costs,
  };
}

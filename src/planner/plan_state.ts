/**
 * The plan that a planner owns and overwrites.
 *
 * @module
 */
import type { PlanLayout } from "../plan_buffers/layout.ts";
import type { CostModel } from "./cost.ts";
import type { Plan } from "./plan.ts";
import type { CheckedConfig, PlannerLimits } from "./problem.ts";

/** The plan as the planner writes it. */
export class PlanState implements Plan {
  words: Int32Array<ArrayBuffer> = new Int32Array(0);
  layout: PlanLayout;
  readonly kvIndices: Int32Array[] = [];
  readonly kvIndexCounts: number[] = [];
  numKvIndices = 0;
  pageSize = 1;
  numTokens = 0;
  numRequests = 0;
  readonly numKvHeads: number;
  readonly groupSize: number;
  numTiles = 0;
  numWorkItems = 0;
  numQueuedPieces = 0;
  numQueuedItems = 0;
  numMerges = 0;
  numPartials = 0;
  numRowEntries = 0;
  numPartialRows = 0;
  maxPartialRows = 0;
  workspaceBytes = 0;
  tileClasses = 0;
  launchesMerges = false;
  numShares = 0;
  numPrefillCtas = 0;
  splitsSms = false;
  readonly hasFixedCapacity: boolean;
  readonly limits: PlannerLimits;
  readonly costs: CostModel;

  constructor({ numKvHeads, groupSize, capacity, limits, costs }: CheckedConfig, layout: PlanLayout) {
    this.numKvHeads = numKvHeads;
    this.groupSize = groupSize;
    this.hasFixedCapacity = capacity !== undefined;
    this.limits = limits;
    this.costs = costs;
    this.layout = layout;
    this.words = new Int32Array(layout.numPlanWords);
  }

  /** Sets how many arrays of page ids there are. Writing an array's length is slow, even the same. */
  setNumLevels(numLevels: number): void {
    if (this.kvIndices.length === numLevels) return;
    this.kvIndices.length = numLevels;
    this.kvIndexCounts.length = numLevels;
  }
}

/** Bytes of workspace: an f32 row and its LSE for each partial row. */
export function workspaceBytesOf(maxPartialRows: number, headDimVo: number): number {
  return maxPartialRows * (headDimVo + 1) * 4;
}

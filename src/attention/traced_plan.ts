/**
 * Which work items of a plan a trace is of.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { type Plan, workItemOfPlan } from "../planner/plan.ts";
import type { TraceRecord } from "./run_trace.ts";

/** @throws {InvalidArgumentError} if a record is of no work item of the plan, or of other KV heads than it has. */
export function checkTracedPlan(plan: Plan, records: readonly TraceRecord[]): void {
  for (const { workItem, kvHeadBegin, numKvHeads } of records) {
    const item = workItem >= 0 && workItem < plan.numWorkItems ? workItemOfPlan(plan, workItem) : undefined;
    if (
      item === undefined || kvHeadBegin < item.kvHeadBegin ||
      kvHeadBegin + numKvHeads > item.kvHeadBegin + item.numKvHeads
    ) {
      throw new InvalidArgumentError(
        `Cannot tell what was traced: a record is of work item ${workItem}, KV heads ${kvHeadBegin} to ${
          kvHeadBegin + numKvHeads - 1
        }, which the plan of ${plan.numWorkItems} items does not have. Pass the plan that was run, before the next one is made.`,
      );
    }
  }
}

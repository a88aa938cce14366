/**
 * A picture of what the cost model predicted above what a trace measured.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { drawLoads, stackPictures } from "../planner/explain_svg.ts";
import { type ItemLoad, loadOfItem, loadsOfPlan } from "../planner/loads.ts";
import type { Plan } from "../planner/plan.ts";
import type { TraceRecord } from "./run_trace.ts";
import { checkTracedPlan } from "./traced_plan.ts";

/**
 * An SVG document: each CTA's load as predicted by the cost model, and below it as measured, CTA under CTA. CTAs with shares come first, then those
 * that draw from the queue, for which the prediction is how they would draw if the costs were exact. Records of several runs are added up.
 *
 * @param plan of the traced runs, still the present one.
 * @throws {InvalidArgumentError} if a record is of no work item or CTA of the plan.
 */
export function traceSvg(plan: Plan, records: readonly TraceRecord[]): string {
  checkTracedPlan(plan, records);
  const predicted = loadsOfPlan(plan, plan);
  const { numShares } = plan;
  const firstQueued = plan.numWorkItems - plan.numQueuedPieces - plan.numQueuedItems;
  const measured: ItemLoad[][] = predicted.map(() => []);
  for (const { workItem, numKvHeads, cta, beginNs, endNs } of records) {
    const at = workItem < firstQueued ? cta : numShares + cta;
    if (cta < 0 || at >= (workItem < firstQueued ? numShares : measured.length)) {
      throw new InvalidArgumentError(
        `Cannot draw a trace: a record is of CTA ${cta}, which the plan does not have. Pass the plan that was run, before the next one is made.`,
      );
    }
    measured[at].push({ ...loadOfItem(plan, plan, workItem, numKvHeads), cost: (endNs - beginNs) / 1000 });
  }
  const what = `${plan.numRequests} requests, ${plan.numWorkItems} work items`;
  return stackPictures([
    drawLoads(predicted, `${what}: predicted`),
    drawLoads(measured, `${what}: measured, ${records.length} records`, 0.001, {
      what: "measured time, in us",
      digits: 1,
    }),
  ]);
}

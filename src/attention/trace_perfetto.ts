/**
 * A trace in Chrome's trace-event format, which Perfetto (ui.perfetto.dev) and chrome://tracing show.
 *
 * @module
 */
import { loadOfItem } from "../planner/loads.ts";
import { type Plan, tileOfPlan, workItemOfPlan } from "../planner/plan.ts";
import type { TraceRecord } from "./run_trace.ts";
import { checkTracedPlan } from "./traced_plan.ts";

/**
 * The JSON text of a trace: a track for each SM or worker thread, a slice for each record. Where CTAs share an SM, it has a track for each that run
 * at once. Times are in microseconds, as the format wants them.
 *
 * @param plan of the traced runs, still the present one: slices then say their tile, query tokens, KV tokens and predicted cost (in KV tokens of a
 *   decode tile).
 * @throws {InvalidArgumentError} if a record is of no work item of the plan.
 */
export function toPerfetto(records: readonly TraceRecord[], plan?: Plan): string {
  if (plan !== undefined) checkTracedPlan(plan, records);
  const tracks = new Tracks();
  const slices = [...records].sort((a, b) => a.beginNs - b.beginNs || a.endNs - b.endNs).map((record) => ({
    ...describe(record, plan),
    ph: "X",
    ts: record.beginNs / 1000,
    dur: (record.endNs - record.beginNs) / 1000,
    pid: PROCESS,
    tid: tracks.take(record),
  }));
  return JSON.stringify({ displayTimeUnit: "ns", traceEvents: [...tracks.names(), ...slices] });
}

const PROCESS = 1;

function describe(record: TraceRecord, plan: Plan | undefined): { name: string; args: Record<string, unknown> } {
  const { workItem, kvHeadBegin, numKvHeads, cta } = record;
  const heads = { workItem, kvHeadBegin, numKvHeads, cta };
  if (plan === undefined) return { name: `item ${workItem}`, args: heads };
  const { tile, kvBegin, kvEnd, partialRow } = workItemOfPlan(plan, workItem);
  const { tileClass, tokenBegin, numTokens, gathered } = tileOfPlan(plan, tile);
  return {
    name: `${tileClass} tile ${tile}`,
    args: {
      ...heads,
      tile,
      // Gathered tokens are listed by row entries.
      [gathered ? "rowEntryBegin" : "tokenBegin"]: tokenBegin,
      numTokens,
      kvBegin,
      kvEnd,
      isPartial: partialRow >= 0,
      predictedCost: loadOfItem(plan, plan, workItem, numKvHeads).cost,
    },
  };
}

/** Slices of one track must not overlap: a processor has as many as it runs items at once. */
class Tracks {
  /** Of each processor: the end of the last slice of each of its tracks, and the track's number. */
  readonly #ends = new Map<number, { endNs: number; id: number }[]>();
  readonly #names: { id: number; name: string; processor: number }[] = [];

  /** A free track of the record's processor. Records come in the order of their beginning. */
  take({ processor, processorKind, beginNs, endNs }: TraceRecord): number {
    const mine = this.#ends.get(processor) ?? [];
    this.#ends.set(processor, mine);
    let track = mine.find((one) => one.endNs <= beginNs);
    if (track === undefined) {
      track = { endNs, id: this.#names.length + 1 };
      mine.push(track);
      const name = `${processorKind} ${processor}${mine.length > 1 ? ` (${mine.length})` : ""}`;
      this.#names.push({ id: track.id, name, processor });
    }
    track.endNs = endNs;
    return track.id;
  }

  /** Events that name the tracks and put those of a processor side by side. */
  names(): unknown[] {
    const event = (name: string, tid: number, args: unknown) => ({ name, ph: "M", pid: PROCESS, tid, args });
    const ordered = [...this.#names].sort((a, b) => a.processor - b.processor || a.id - b.id);
    return [
      event("process_name", 0, { name: "flashpage attention" }),
      ...ordered.flatMap(({ id, name }, i) => [
        event("thread_name", id, { name }),
        event("thread_sort_index", id, { sort_index: i }),
      ]),
    ];
  }
}

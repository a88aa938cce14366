/** Ways to plan and run a batch: planned by the host or on the device, run at once or from a captured graph. */
import {
  type AttentionCapacity,
  type BatchAttention,
  capture,
  type Device,
  type DevicePlanOptions,
  type Tensor,
} from "../../mod.ts";
import type { Batch } from "./batch.ts";
import type { AttentionCase } from "./cases.ts";

/** Who plans, and whether runs are replayed. */
export interface Planning {
  planner: "host" | "device";
  isCaptured: boolean;
}

function longestQuery({ qoIndptr }: Batch): number {
  let longest = 1;
  for (let r = 0; r + 1 < qoIndptr.length; r++) longest = Math.max(longest, qoIndptr[r + 1] - qoIndptr[r]);
  return longest;
}

/** True if the device can plan it: requests of few query tokens, one row of pages each, no masks. */
export function canPlanOnDevice({ groupSize }: AttentionCase, batch: Batch): boolean {
  const { pages, customMask, qoIndptr } = batch;
  return pages !== undefined && customMask === undefined && qoIndptr.length > 1 &&
    longestQuery(batch) * groupSize <= 16;
}

/** Rows that q and out must have: the device plans for requests of the most query tokens. */
export function numRowsOf(batch: Batch, planner: Planning["planner"]): number {
  return planner === "host" ? batch.numTokens : (batch.qoIndptr.length - 1) * longestQuery(batch);
}

/** A little more than the batch needs; its longest query exactly. */
export function capacityOf(batch: Batch): AttentionCapacity {
  const { qoIndptr, pages, levels } = batch;
  const tables = levels?.map((level) => level.pages) ?? [pages!];
  const numPages = tables.reduce((sum, { indptr }) => sum + indptr[indptr.length - 1], 0);
  const maxQoLen = longestQuery(batch);
  return {
    maxTokens: qoIndptr.length * maxQoLen + 3,
    maxRequests: qoIndptr.length + 1,
    maxPages: numPages + 5,
    maxLevels: levels === undefined ? 1 : Math.max(2, levels.length),
    maxQoLen,
  };
}

function batchOnDevice(device: Device, stack: DisposableStack, batch: Batch): DevicePlanOptions {
  const { indptr, lastPageLen, pageSize } = batch.pages!;
  const indices = batch.pages!.indices.subarray(0, indptr[indptr.length - 1]);
  const i32 = (values: Int32Array): Tensor =>
    stack.use(device.fromArray(values.length > 0 ? values : new Int32Array(1), "i32"));
  return {
    qoIndptr: i32(batch.qoIndptr),
    pages: { indptr: i32(indptr), indices: i32(indices), lastPageLen: i32(lastPageLen), pageSize },
    maxQoLen: longestQuery(batch),
  };
}

/** Plans a batch, and runs it as often as is wanted. */
export interface Planned {
  /** Plans again. In a graph that plans on the device, each `run` does. */
  plan(): void;
  run(): void;
  /** Throws what the device found wrong. */
  check(): Promise<void>;
}

/** Plans `batch` the first time. `run`: enqueues it. */
export function planBatch(
  device: Device,
  stack: DisposableStack,
  engine: BatchAttention,
  batch: Batch,
  { planner, isCaptured }: Planning,
  run: () => void,
): Planned {
  const { qoIndptr, pages, levels, customMask } = batch;
  const { stream } = device;
  if (planner === "host") {
    const plan = (): void => void engine.plan({ qoIndptr, pages, levels, customMask });
    plan();
    const graph = isCaptured ? stack.use(capture(stream, run)) : undefined;
    return { plan, run: graph === undefined ? run : () => graph.launch(), check: async () => {} };
  }
  const options = batchOnDevice(device, stack, batch);
  const plan = (): void => engine.planOnDevice(options);
  const check = (): Promise<void> => engine.checkDevicePlan();
  if (!isCaptured) {
    plan();
    return { plan, run, check };
  }
  const graph = stack.use(capture(stream, () => {
    plan();
    run();
  }));
  return { plan: () => {}, run: () => graph.launch(), check };
}

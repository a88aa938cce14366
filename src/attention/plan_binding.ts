/**
 * A plan as `run` uses it: where its words and page ids lie, how large it may be, and which launches captured in a graph it suits. Made by the host or
 * by the device.
 *
 * @module
 */
import { CapacityError, InvalidArgumentError } from "../errors.ts";
import type { AttentionArgs } from "../ffi/structs.gen.ts";
import { writeLayoutArgs } from "../plan_buffers/layout_args.ts";
import type { PlanBuffer } from "../plan_buffers/upload.ts";
import type { Plan, PlanFrame } from "../planner/plan.ts";
import { TILE_DECODE } from "../planner/tiles.ts";
import type { DeviceBatchShape, DevicePlanOptions } from "./device_plan.ts";

/** A plan that `run` computes. */
export interface PlanBinding {
  /** Rows of q and out. */
  readonly numTokens: number;
  readonly pageSize: number;
  readonly hasFixedCapacity: boolean;
  /** The largest page id, if the host knows it; else -1. */
  readonly maxPage: number;
  /** `tile_classes` of the launch. */
  readonly tileClasses: number;
  /** Address of the page ids. */
  readonly kvIndices: number;
  readonly customMask: number;
  readonly customMaskBytes: number;
  /** The host's plan. */
  readonly plan?: Plan;
  /** What the device plans. */
  readonly batch?: { readonly shape: DeviceBatchShape; readonly options: DevicePlanOptions };
  /** Writes the plan's part of the arguments. */
  bind(args: AttentionArgs): void;
}

/** A plan that was uploaded. `customMask`: its address, 0 for none. */
export function bindHostPlan(
  plan: Plan,
  buffer: PlanBuffer,
  maxPage: number,
  customMask: number,
  customMaskBytes: number,
): PlanBinding {
  const { numTokens, pageSize, hasFixedCapacity, layout, tileClasses } = plan;
  return {
    numTokens,
    pageSize,
    hasFixedCapacity,
    maxPage,
    tileClasses,
    kvIndices: buffer.kvIndicesAddress,
    customMask,
    customMaskBytes,
    plan,
    bind(args: AttentionArgs): void {
      bindFrame(args, this, plan, buffer);
      // Without a graph the present counts are exact, so that the launch of merges is as small as they are few.
      args.maxMerges = hasFixedCapacity ? layout.maxMerges : plan.numMerges;
      args.numKvIndices = hasFixedCapacity ? layout.maxKvIndices : plan.numKvIndices;
      args.launchesMerges = plan.launchesMerges ? 1 : 0;
      args.splitsSms = plan.splitsSms ? 1 : 0;
    },
  };
}

/** A plan that the device makes in the same buffer: decode tiles only, page ids where the batch has them. */
export function bindDevicePlan(
  frame: PlanFrame,
  buffer: PlanBuffer,
  shape: DeviceBatchShape,
  options: DevicePlanOptions,
): PlanBinding {
  const { pages: { indices, pageSize } } = options;
  return {
    numTokens: shape.numTokens,
    pageSize,
    hasFixedCapacity: true,
    maxPage: -1,
    tileClasses: 1 << TILE_DECODE,
    kvIndices: indices.address,
    customMask: 0,
    customMaskBytes: 0,
    batch: { shape, options },
    bind(args: AttentionArgs): void {
      bindFrame(args, this, frame, buffer);
      args.maxMerges = frame.layout.maxMerges;
      args.numKvIndices = shape.maxKvIndices;
      args.launchesMerges = 0;
      args.splitsSms = 0;
    },
  };
}

function bindFrame(
  args: AttentionArgs,
  binding: PlanBinding,
  { layout, maxPartialRows, workspaceBytes }: PlanFrame,
  buffer: PlanBuffer,
): void {
  args.numTokens = binding.numTokens;
  args.pageSize = binding.pageSize;
  writeLayoutArgs(args, layout, maxPartialRows);
  args.maxRowEntries = layout.maxRowEntries;
  args.rowsOffset = layout.rowsOffset;
  args.tileClasses = binding.tileClasses;
  args.plan = buffer.planAddress;
  args.planBytes = buffer.planBytes;
  args.kvIndices = binding.kvIndices;
  args.workspace = workspaceBytes > 0 ? buffer.workspaceAddress : 0;
  args.workspaceBytes = workspaceBytes > 0 ? buffer.workspaceBytes : 0;
  args.customMask = binding.customMask;
  args.customMaskBytes = binding.customMaskBytes;
}

/**
 * Refuses to replay a captured run with a plan that it would not compute as it should: a launch keeps the sizes and addresses that it was captured with.
 *
 * @throws {CapacityError} for a batch of more tokens; {InvalidArgumentError} for one of other pages or masks.
 */
export function checkReplay(captured: PlanBinding, now: PlanBinding): void {
  if (now.numTokens > captured.numTokens) {
    throw new CapacityError(
      `Cannot launch a graph: its attention was captured with ${captured.numTokens} query tokens, and the present plan has ${now.numTokens}. Capture it with the largest batch.`,
    );
  }
  const differs = (what: string): never => {
    throw new InvalidArgumentError(
      `Cannot launch a graph: its attention was captured with a plan of ${what}. Plan as it was planned then, or capture a graph anew.`,
    );
  };
  if (now.pageSize !== captured.pageSize) {
    differs(`pages of ${captured.pageSize} tokens, and the present one has ${now.pageSize}`);
  }
  if (now.kvIndices !== captured.kvIndices) {
    differs("other page ids: the one was made on the host, the other on the device, or for another batch");
  }
  if ((now.tileClasses & ~captured.tileClasses) !== 0) {
    differs("decode tiles only, and the present one may have prefill tiles");
  }
  if (
    now.customMaskBytes > captured.customMaskBytes ||
    (now.customMaskBytes > 0 && now.customMask !== captured.customMask)
  ) {
    differs(captured.customMaskBytes === 0 ? "no custom mask, and the present one has one" : "a smaller custom mask");
  }
}

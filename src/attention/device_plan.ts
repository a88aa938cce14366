/**
 * Planning on the device: the batch that lies there, the checks that the host can make, and the arguments of the kernel that plans.
 *
 * @module
 */
import { CapacityError, InvalidArgumentError, NotSupportedError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/tensor.ts";
import type { PlanDecodeArgs } from "../ffi/structs.gen.ts";
import { checkPageSize } from "../formats/page_table.ts";
import { writeLayoutArgs } from "../plan_buffers/layout_args.ts";
import type { PlanBuffer } from "../plan_buffers/upload.ts";
import type { PlanFrame } from "../planner/plan.ts";
import type { CheckedConfig } from "../planner/problem.ts";

/** Page tables on the device, one row a request. Give `lastPageLen`, or `kvLens`. */
export interface DevicePages {
  /** i32 [numRequests + 1]: row i's pages are `indices[indptr[i] .. indptr[i + 1])`. Starts with 0. */
  readonly indptr: Tensor;
  /**
   * i32 [maxPages]: page ids, row after row. Read when the plan is made, and again when attention runs: they must stay until it has run, and other ids need
   * another plan.
   */
  readonly indices: Tensor;
  /** i32 [numRequests]: tokens in each row's last page, 1 to `pageSize`; 0 for a row without pages. */
  readonly lastPageLen?: Tensor;
  /** i32 [numRequests]: KV tokens of each request. Its row may have more pages than they fill. */
  readonly kvLens?: Tensor;
  /** Tokens a page. */
  readonly pageSize: number;
}

/** A batch of decoding requests on the device: lengths and page tables are read there, when the plan is made. */
export interface DevicePlanOptions {
  /**
   * i32 [numRequests + 1]: first query token of each request; queries are the last tokens of their request. `numRequests` is the largest batch: the
   * end of a smaller one are requests without query tokens, for which `indptr` stays as it is.
   */
  readonly qoIndptr: Tensor;
  /** One row of pages a request. */
  readonly pages: DevicePages;
  /**
   * Query tokens of a request, at most; 1 by default. Its rows (tokens x query heads a KV head) must fit a decode tile, 16. No more than the capacity's
   * `maxQoLen`.
   */
  readonly maxQoLen?: number;
  /**
   * True: query tokens are new ones. Each replay first adds them to `pages.kvLens`, which grow from step to step without the host. False by default:
   * lengths say what is there, the query tokens included.
   */
  readonly appends?: boolean;
  /** i32 [numRequests * maxQoLen]: receives the slot of each query token, page * pageSize + token of the page; -1 behind the batch. */
  readonly slots?: Tensor;
  /** i32 [numRequests * maxQoLen]: receives the position of each query token; 0 behind the batch. */
  readonly positions?: Tensor;
  /** Called before each planning, also before each launch of a graph that holds one. What it throws keeps it from running. */
  beforeStep?(): void;
}

/** A batch whose shapes were checked, as `run` and the kernel want it. */
export interface DeviceBatchShape {
  readonly numRequests: number;
  /** Rows of q and out: `numRequests * maxQoLen`, whatever the batch has. */
  readonly numTokens: number;
  readonly maxKvIndices: number;
}

/**
 * Checks what the host can see.
 *
 * @throws {InvalidArgumentError} for a tensor of a wrong shape, or without a capacity; {CapacityError} for more than was declared;
 *   {NotSupportedError} for what only the host plans.
 */
export function checkDeviceBatch(
  device: Device,
  config: CheckedConfig,
  { qoIndptr, pages, maxQoLen = 1, appends = false, slots, positions }: DevicePlanOptions,
): DeviceBatchShape {
  const { capacity, batchInvariant, groupSize, limits: { decodeRows } } = config;
  if (capacity === undefined) {
    refuse("the attention has no capacity. Pass `capacity` when it is created: the device writes the plan within it.");
  }
  if (batchInvariant) {
    throw new NotSupportedError(
      "Cannot plan on the device: batchInvariant plans are made on the host only. Call plan().",
    );
  }
  const most = Math.floor(decodeRows / groupSize);
  if (!Number.isInteger(maxQoLen) || maxQoLen < 1) {
    refuse(`maxQoLen is ${maxQoLen}. Pass an integer from 1 to ${most}.`);
  }
  if (maxQoLen > most) {
    throw new NotSupportedError(
      `Cannot plan on the device: maxQoLen is ${maxQoLen}, and ${groupSize} query heads share a KV head. A decode tile has ${decodeRows} rows, so that ` +
        `${most === 0 ? "not even one token fits" : `${most} tokens fit`}. Call plan(), which has prefill tiles too.`,
    );
  }
  const { indptr, indices, lastPageLen, kvLens, pageSize } = pages;
  const numRequests = qoIndptr.numElements - 1;
  const numTokens = numRequests * maxQoLen;
  if (numRequests < 1) refuse("qoIndptr is empty. It has an entry more than requests.");
  checkPageSize(pageSize);
  if ((lastPageLen === undefined) === (kvLens === undefined)) {
    refuse("pages has both lastPageLen and kvLens, or neither. Pass one of them.");
  }
  if (appends && kvLens === undefined) refuse("appends without pages.kvLens: there are no lengths that could grow.");
  const expect = (name: string, tensor: Tensor | undefined, count: number): void => {
    if (tensor === undefined) return;
    if (
      tensor.device !== device || tensor.dtype !== "i32" || tensor.shape.length !== 1 || tensor.shape[0] !== count ||
      !tensor.isContiguous
    ) {
      refuse(
        `${name} is ${tensor.dtype} [${tensor.shape}]${
          tensor.device === device ? "" : " on another device"
        }. Expected contiguous i32 [${count}], by ` +
          `qoIndptr's ${numRequests + 1} entries${
            name === "slots" || name === "positions" ? ` and maxQoLen ${maxQoLen}` : ""
          }.`,
      );
    }
  };
  expect("qoIndptr", qoIndptr, numRequests + 1);
  expect("pages.indptr", indptr, numRequests + 1);
  expect("pages.lastPageLen", lastPageLen, numRequests);
  expect("pages.kvLens", kvLens, numRequests);
  expect("pages.indices", indices, indices.numElements);
  expect("slots", slots, numTokens);
  expect("positions", positions, numTokens);
  expectFits("maxRequests", capacity.maxRequests, numRequests, "requests, by qoIndptr");
  expectFits("maxTokens", capacity.maxTokens, numTokens, "query tokens, requests x maxQoLen");
  if (maxQoLen > capacity.maxQoLen) {
    throw new CapacityError(
      `Cannot plan on the device: maxQoLen is ${maxQoLen}, but the attention's capacity.maxQoLen is ${capacity.maxQoLen}. Pass a smaller maxQoLen, or create ` +
        "the attention with a larger one.",
    );
  }
  expectFits("maxPages", capacity.maxPages, indices.numElements, "page ids, by pages.indices");
  return { numRequests, numTokens, maxKvIndices: indices.numElements };
}

/** Writes what the kernel is given. The batch was checked. */
export function writeDevicePlanArgs(
  args: PlanDecodeArgs,
  config: CheckedConfig,
  { layout, maxPartialRows }: PlanFrame,
  buffer: PlanBuffer,
  { numRequests, numTokens, maxKvIndices }: DeviceBatchShape,
  { qoIndptr, pages, maxQoLen = 1, appends = false, slots, positions }: DevicePlanOptions,
): void {
  const { groupSize, numKvHeads, causal, windowLeft, windowRight, limits, costs } = config;
  args.maxRequests = numRequests;
  args.maxTokens = numTokens;
  args.maxQoLen = maxQoLen;
  args.groupSize = groupSize;
  args.numKvHeads = numKvHeads;
  args.pageSize = pages.pageSize;
  args.maxKvIndices = maxKvIndices;
  args.causal = causal ? 1 : 0;
  args.windowLeft = windowLeft;
  args.windowRight = windowRight;
  args.kvTile = limits.decodeKvTile;
  args.tokenCost = costs.decodeToken;
  args.itemCost = costs.decodeItem;
  args.partialRowCost = costs.partialRow;
  args.sharesBandwidth = costs.sharesBandwidth ? 1 : 0;
  args.appends = appends ? 1 : 0;
  writeLayoutArgs(args, layout, maxPartialRows);
  args.maxMerges = layout.maxMerges;
  args.qoIndptr = qoIndptr.address;
  args.pageIndptr = pages.indptr.address;
  args.lastPageLen = pages.lastPageLen?.address ?? 0;
  args.kvLens = pages.kvLens?.address ?? 0;
  args.kvIndices = pages.indices.address;
  args.slots = slots?.address ?? 0;
  args.positions = positions?.address ?? 0;
  args.plan = buffer.planAddress;
  args.planBytes = buffer.planBytes;
}

function expectFits(name: string, capacity: number, need: number, what: string): void {
  if (need > capacity) {
    throw new CapacityError(
      `Cannot plan on the device: there may be ${need} ${what}, but ${name} is ${capacity}. Pass smaller tensors, or create the attention with a larger ${name}.`,
    );
  }
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`Cannot plan on the device: ${why}`);
}

/**
 * What a planner is made with, what it plans, and the checks of both.
 *
 * @module
 */
import { CapacityError, InvalidArgumentError, NotSupportedError } from "../errors.ts";
import type { KvLevel } from "../formats/levels.ts";
import { MAX_KV_TOKENS, MAX_PAGE_SIZE, type PageTable } from "../formats/page_table.ts";
import { type CostModel, GPU_COSTS } from "./cost.ts";

/** What a device's kernels want, as `fp_attention_get_limits` says. */
export interface PlannerLimits {
  /** CTAs that run at once; the plan has a share of work for each. */
  readonly numCtas: number;
  /** Rows of a decode tile. */
  readonly decodeRows: number;
  /** Rows of a prefill tile. */
  readonly prefillRows: number;
  /** KV tokens a step of a decode tile: splits are cut at multiples of it. */
  readonly decodeKvTile: number;
  /** KV tokens a step of a prefill tile. */
  readonly prefillKvTile: number;
  /** CTAs that draw prefill tiles from the queue. 0: there is no queue, prefill tiles are in the shares too. */
  readonly prefillCtas: number;
  /** True: a kernel looks at the plan's starts (`starts.ts`). False by default, and plans have none. */
  readonly readsStarts?: boolean;
}

/** The largest batch that a graph must serve. */
export interface PlanCapacity {
  /** Query tokens of a batch. */
  readonly maxTokens: number;
  /** Requests of a batch. */
  readonly maxRequests: number;
  /** Page ids of a batch, all levels together. */
  readonly maxPages: number;
  /** Levels of composable formats; 1 by default. With 1, every block row is one request. */
  readonly maxLevels?: number;
  /**
   * Query tokens of a request; `maxTokens` by default. If so many fit a decode tile and there is one level, no batch has prefill tiles, and a graph
   * launches no kernel for them.
   */
  readonly maxQoLen?: number;
  /** KV tokens of a request, with `batchInvariant` only: the workspace grows with it. By default what `maxPages` of 1024 tokens hold. */
  readonly maxKvLen?: number;
}

/** What does not change from plan to plan. */
export interface PlannerConfig {
  readonly numQoHeads: number;
  readonly numKvHeads: number;
  /** Of the values and the output: the width of workspace rows. */
  readonly headDimVo: number;
  /** A query sees keys up to its own position. False by default. */
  readonly causal?: boolean;
  /** Keys further back are not seen; -1, the default: unlimited. */
  readonly windowLeft?: number;
  /** Keys further ahead are not seen; -1, the default: unlimited. */
  readonly windowRight?: number;
  readonly limits: PlannerLimits;
  /** Fixes offsets and sizes, for graphs. */
  readonly capacity?: PlanCapacity;
  /** How a request is computed depends on the request alone, not on the batch: see `src/planner/pieces.ts`. False by default. */
  readonly batchInvariant?: boolean;
  /** What work costs; a GPU's by default. */
  readonly costs?: CostModel;
}

/** One batch. Give `pages`, or `levels`. */
export interface AttentionProblem {
  /** First query token of each request: [numRequests + 1]. A request's queries are its last tokens: query `i` has position `kvLen - qoLen + i`. */
  readonly qoIndptr: Int32Array;
  /** One row of pages a request. */
  readonly pages?: PageTable;
  /** Composable formats: a request's KV is its rows of all levels, one after another. */
  readonly levels?: readonly KvLevel[];
  /**
   * First byte of each request's custom mask: [numRequests + 1]. A mask is `qoLen x kvLen` bits, row by row, little-endian, padded to a whole byte;
   * 1 lets the query see the key. A request with no bytes has no mask of its own.
   */
  readonly maskIndptr?: Int32Array;
}

/** A config with its defaults filled in. */
export interface CheckedConfig {
  readonly numQoHeads: number;
  readonly numKvHeads: number;
  /** Query heads a KV head. */
  readonly groupSize: number;
  readonly headDimVo: number;
  readonly causal: boolean;
  readonly windowLeft: number;
  readonly windowRight: number;
  readonly limits: PlannerLimits;
  readonly capacity: Required<PlanCapacity> | undefined;
  readonly batchInvariant: boolean;
  readonly costs: CostModel;
}

/** Query heads that may share a KV head. */
const MAX_GROUP_SIZE = 64;

/** Fills in defaults. @throws {InvalidArgumentError} naming the value. */
export function checkConfig(config: PlannerConfig): CheckedConfig {
  const {
    numQoHeads,
    numKvHeads,
    headDimVo,
    causal = false,
    windowLeft = -1,
    windowRight = -1,
    limits,
    capacity,
    batchInvariant = false,
    costs = GPU_COSTS,
  } = config;
  expectInteger("numKvHeads", numKvHeads, 1, 65535);
  expectInteger("numQoHeads", numQoHeads, 1, 65535 * MAX_GROUP_SIZE);
  expectInteger("headDimVo", headDimVo, 1, 65536);
  expectInteger("windowLeft", windowLeft, -1, 0x7fffffff);
  expectInteger("windowRight", windowRight, -1, 0x7fffffff);
  const groupSize = numQoHeads / numKvHeads;
  if (!Number.isInteger(groupSize) || groupSize > MAX_GROUP_SIZE) {
    throw new InvalidArgumentError(
      `Cannot create planner: numQoHeads is ${numQoHeads} and numKvHeads ${numKvHeads}. The first must be 1 to ${MAX_GROUP_SIZE} times the second.`,
    );
  }
  expectInteger("limits.numCtas", limits.numCtas, 1, 65535);
  expectInteger("limits.decodeRows", limits.decodeRows, 1, 1024);
  expectInteger("limits.prefillRows", limits.prefillRows, Math.max(groupSize, limits.decodeRows), 1024);
  expectInteger("limits.decodeKvTile", limits.decodeKvTile, 1, 65536);
  expectInteger("limits.prefillKvTile", limits.prefillKvTile, 1, 65536);
  expectInteger("limits.prefillCtas", limits.prefillCtas, 0, 65535);
  for (const [name, value] of Object.entries(costs)) {
    if (name === "sharesBandwidth" || name === "split") continue;
    // Only partial rows may be free: work without cost has no place on the line that the scheduler cuts.
    expectInteger(`costs.${name}`, value, name === "partialRow" ? 0 : 1, 65536);
  }
  for (const [name, value] of Object.entries(costs.split ?? {})) {
    if (!(value > 0 && value < 1e9) || (name === "fullRateSms" && value > 1)) {
      throw new InvalidArgumentError(
        `Cannot create planner: costs.split.${name} is ${value}. Pass a number above 0, for fullRateSms at most 1.`,
      );
    }
  }
  return {
    numQoHeads,
    numKvHeads,
    groupSize,
    headDimVo,
    causal,
    windowLeft,
    windowRight,
    limits,
    capacity: checkCapacity(capacity, batchInvariant),
    batchInvariant,
    costs,
  };
}

/** Refuses a batch beyond what was declared. Nothing is written before. @throws {CapacityError} naming the capacity and the need. */
export function checkFitsCapacity(
  capacity: Required<PlanCapacity>,
  qoIndptr: Int32Array,
  numPages: number,
  numLevels: number,
): void {
  const numRequests = qoIndptr.length - 1;
  if (capacity.maxQoLen < capacity.maxTokens) {
    let longest = 0;
    for (let r = 0; r < numRequests; r++) longest = Math.max(longest, qoIndptr[r + 1] - qoIndptr[r]);
    expectFits("maxQoLen", capacity.maxQoLen, longest, "query tokens in one request");
  }
  expectFits("maxTokens", capacity.maxTokens, qoIndptr[numRequests], "query tokens");
  expectFits("maxRequests", capacity.maxRequests, numRequests, "requests");
  expectFits("maxPages", capacity.maxPages, numPages, "page ids");
  expectFits("maxLevels", capacity.maxLevels, numLevels, "levels (block rows of several requests count as a second)");
}

function expectFits(name: string, capacity: number, need: number, what: string): void {
  if (need > capacity) {
    throw new CapacityError(
      `Cannot plan: the batch has ${need} ${what}, but ${name} is ${capacity}. Plan a smaller batch, or create the attention with a larger ${name}.`,
    );
  }
}

/** Refuses a request beyond what was declared. @throws {CapacityError} naming the capacity and the need. */
export function checkKvFitsCapacity({ maxKvLen }: Required<PlanCapacity>, kvLen: number): void {
  expectFits("maxKvLen", maxKvLen, kvLen, "KV tokens in one request");
}

function checkCapacity(
  capacity: PlanCapacity | undefined,
  batchInvariant: boolean,
): Required<PlanCapacity> | undefined {
  if (capacity === undefined) return undefined;
  const { maxTokens, maxRequests, maxPages, maxLevels = 1, maxQoLen = maxTokens } = capacity;
  expectInteger("capacity.maxTokens", maxTokens, 1, 0x7fffffff);
  expectInteger("capacity.maxRequests", maxRequests, 1, 0x7fffffff);
  expectInteger("capacity.maxPages", maxPages, 0, 0x7fffffff);
  expectInteger("capacity.maxLevels", maxLevels, 1, 64);
  expectInteger("capacity.maxQoLen", maxQoLen, 1, 0x7fffffff);
  if (batchInvariant && maxLevels > 1) {
    throw new NotSupportedError(
      `Cannot create planner: capacity.maxLevels is ${maxLevels}, with batchInvariant. Requests that share a level are computed together, so that ` +
        "one depends on the other. Leave out one of the two.",
    );
  }
  if (!batchInvariant && capacity.maxKvLen !== undefined) {
    throw new InvalidArgumentError(
      `Cannot create planner: capacity.maxKvLen is ${capacity.maxKvLen}, without batchInvariant. Nothing else depends on it; leave it out.`,
    );
  }
  const maxKvLen = capacity.maxKvLen ?? Math.min(maxPages * MAX_PAGE_SIZE, MAX_KV_TOKENS);
  expectInteger("capacity.maxKvLen", maxKvLen, 0, MAX_KV_TOKENS);
  return { maxTokens, maxRequests, maxPages, maxLevels, maxQoLen, maxKvLen };
}

function expectInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(
      `Cannot create planner: ${name} is ${value}. Pass an integer from ${min} to ${max}.`,
    );
  }
}

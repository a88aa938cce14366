/**
 * Attention over a batch: decode, prefill, append, shared prefixes and any mix, by one class.
 *
 * Create once, plan once per step, run once per layer.
 *
 * @module
 */
import { DisposedError, InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import type { Capture } from "../device/stream.ts";
import { type DType, DTYPE_CODE } from "../device/dtype.ts";
import type { Tensor } from "../device/tensor.ts";
import { AttentionArgs, AttentionLimits, PLAN_HEADER, PlanDecodeArgs } from "../ffi/structs.gen.ts";
import type { KvLevel } from "../formats/levels.ts";
import type { PageTable } from "../formats/page_table.ts";
import { checkIndptr } from "../formats/ragged.ts";
import type { PagedKvCache } from "../kv_cache/paged_kv_cache.ts";
import { checkLayerScale, type LayerScale, scaleArguments } from "../kv_cache/scales.ts";
import { withOutput } from "../ops/check.ts";
import { PlanBuffer } from "../plan_buffers/upload.ts";
import { CPU_COSTS, GPU_COSTS } from "../planner/cost.ts";
import { explainPlan, type PlanExplanation } from "../planner/explain.ts";
import type { Plan } from "../planner/plan.ts";
import { createPlanner, type Planner } from "../planner/planner.ts";
import { bindCache, bindForeign, type ForeignKv } from "./bind_kv.ts";
import { checkMask, maxPageOf } from "./check_batch.ts";
import type { CustomMask } from "./custom_mask.ts";
import { checkDeviceBatch, type DevicePlanOptions, writeDevicePlanArgs } from "./device_plan.ts";
import { checkDeviceStatus, planOfDeviceWords } from "./device_plan_status.ts";
import { type BatchAttentionOptions, type CheckedOptions, checkOptions } from "./options.ts";
import { bindDevicePlan, bindHostPlan, checkReplay, type PlanBinding } from "./plan_binding.ts";
import type { RunTrace } from "./run_trace.ts";

/** One batch. Give `pages`, or `levels`. */
export interface PlanOptions {
  /** First query token of each request: [numRequests + 1], from 0 to the number of query tokens. Queries are the last tokens of their request. */
  qoIndptr: ArrayLike<number>;
  /** One row of pages a request: `cache.pageTable(sequences)`, or your own arrays. */
  pages?: PageTable;
  /** Composable formats: a request's KV is its rows of all levels, one after another. */
  levels?: readonly KvLevel[];
  /** Bits that hide keys beside `causal` and the windows; see `packCustomMask`. */
  customMask?: CustomMask;
}

/** Arguments of `BatchAttention.run`. */
export interface RunOptions {
  /** [numTokens, numQoHeads, headDim]; strides as they are, the innermost 1. */
  q: Tensor;
  /** If q is FP8: true number = element * qScale; a number, or f32 [numQoHeads]. 1 by default. */
  qScale?: LayerScale;
  /** The cache that the planned page table is of, or foreign pages. */
  cache: PagedKvCache | ForeignKv;
  /** Layer of a `PagedKvCache`; 0 by default. */
  layer?: number;
  /** [numTokens, numQoHeads, headDimVo]. A new tensor by default. */
  out?: Tensor;
  /** f32 [numTokens, numQoHeads]: receives the log-sum-exp of each row's scores, natural logarithm. */
  lse?: Tensor;
  /** Receives a record of each work item: when it began and ended, and where. */
  trace?: RunTrace;
}

/** Batched attention over a paged KV cache. */
export class BatchAttention implements Disposable {
  /** Where it runs. */
  readonly device: Device;
  readonly #options: CheckedOptions;
  readonly #planner: Planner;
  readonly #buffer: PlanBuffer;
  readonly #args = new AttentionArgs();
  readonly #devicePlanArgs = new PlanDecodeArgs();
  /** The plan that runs compute. */
  #plan: PlanBinding | undefined;
  /** The plan that a capture under way makes at each replay, and that runs in it compute. */
  #captured: { readonly capture: Capture; readonly plan: PlanBinding } | undefined;
  /** Whose part of the arguments is written. */
  #bound: PlanBinding | undefined;
  #mask: Tensor | undefined;
  /** True if a graph has captured a run without a capacity. */
  #isInGraph = false;
  #disposed = false;

  /** Attention that has no plan yet. @throws {InvalidArgumentError | NotSupportedError} naming the option, its value and what is supported. */
  constructor(device: Device, options: BatchAttentionOptions) {
    device.assertOpen("create attention");
    this.device = device;
    this.#options = checkOptions(device, options);
    const {
      numQoHeads,
      numKvHeads,
      groupSize,
      headDimQk,
      headDimVo,
      dtype,
      kvDtype,
      qDtype,
      causal,
      windowLeft,
      windowRight,
      smScale,
      logitsSoftCap,
      batchInvariant,
    } = this.#options;
    const { native } = device;
    const limits = new AttentionLimits();
    native.check(
      native.fp_attention_get_limits(
        device.handle,
        DTYPE_CODE[qDtype],
        DTYPE_CODE[dtype],
        DTYPE_CODE[kvDtype],
        headDimQk,
        headDimVo,
        groupSize,
        limits.bytes,
      ),
      "create attention",
    );
    const { numCtas, decodeRows, prefillRows, decodeKvTile, prefillKvTile, prefillCtas } = limits;
    const readsStarts = limits.readsStarts !== 0;
    this.#planner = createPlanner({
      numQoHeads,
      numKvHeads,
      headDimVo,
      causal,
      windowLeft,
      windowRight,
      limits: { numCtas, decodeRows, prefillRows, decodeKvTile, prefillKvTile, prefillCtas, readsStarts },
      costs: device.kind === "cpu" ? CPU_COSTS : GPU_COSTS,
      capacity: options.capacity,
      batchInvariant,
    });
    this.#buffer = new PlanBuffer(device);
    const args = this.#args;
    args.qDtype = DTYPE_CODE[qDtype];
    args.dtype = DTYPE_CODE[dtype];
    args.kvDtype = DTYPE_CODE[kvDtype];
    args.numQoHeads = numQoHeads;
    args.numKvHeads = numKvHeads;
    args.headDimQk = headDimQk;
    args.headDimVo = headDimVo;
    args.causal = causal ? 1 : 0;
    args.windowLeft = windowLeft;
    args.windowRight = windowRight;
    args.smScale = smScale;
    args.logitsSoftCap = logitsSoftCap;
    args.batchInvariant = batchInvariant ? 1 : 0;
  }

  /** The present plan, if the host made it. Overwritten by the next `plan`. */
  get currentPlan(): Plan | undefined {
    return this.#plan?.plan;
  }

  /** Tells what the present plan does: a text, and a picture of each CTA's load. @throws {InvalidArgumentError} if nothing is planned. */
  explain(): PlanExplanation {
    this.#assertOpen("explain a plan");
    const { currentPlan } = this;
    if (currentPlan === undefined) {
      throw new InvalidArgumentError("Cannot explain a plan: nothing is planned. Call plan() first.");
    }
    return explainPlan(currentPlan, this.#planner.config);
  }

  /** Bytes of device memory for plan and workspace, as of the present plan. */
  get workspaceBytes(): number {
    return this.#buffer.planBytes + this.#buffer.workspaceBytes;
  }

  /**
   * Plans a batch and enqueues the plan's upload. Every `run` until the next `plan` computes this batch.
   *
   * @throws {InvalidArgumentError} for a batch that contradicts itself, or if a graph holds a run without a capacity; {CapacityError} for a batch
   *   beyond the capacity; {NotSupportedError} for what `batchInvariant` does not allow. The last plan stays then.
   */
  plan({ qoIndptr, pages, levels, customMask }: PlanOptions): Plan {
    this.#assertOpen("plan");
    if (this.#isInGraph) {
      throw new InvalidArgumentError(
        "Cannot plan: a graph holds a run of this attention, and would not find a plan of another size. Pass `capacity` to an attention that is captured and planned again.",
      );
    }
    const indptr = checkIndptr("qoIndptr", qoIndptr);
    const maxPage = maxPageOf(pages, levels);
    if (customMask !== undefined) checkMask(customMask, indptr.length - 1);
    const plan = this.#planner.plan({ qoIndptr: indptr, pages, levels, maskIndptr: customMask?.indptr });
    // From here on the planner's words are new: until the upload is enqueued, there is no plan to run.
    this.#plan = undefined;
    const { stream } = this.#options;
    this.#buffer.upload(plan, stream);
    if (customMask !== undefined && customMask.bits.length > 0) {
      const { bits } = customMask;
      if (this.#mask === undefined || this.#mask.numElements < bits.length) {
        const grown = this.device.tensor([bits.length], "u8");
        this.#mask?.dispose();
        this.#mask = grown;
      }
      this.#mask.slice(0, bits.length).write(bits, stream);
    }
    const maskBytes = customMask?.bits.length ?? 0;
    this.#plan = bindHostPlan(plan, this.#buffer, maxPage, maskBytes > 0 ? this.#mask!.address : 0, maskBytes);
    return plan;
  }

  /**
   * Enqueues the planning of a batch whose lengths and page tables lie on the device: the same plan, word for word, as `plan` makes of the same numbers.
   * In a graph it plans anew at each replay, with no work for the host. Every `run` until the next plan computes this batch; its q and out have
   * room for the largest one, and rows behind the present one are not touched. Needs a `capacity`.
   *
   * A batch that turns out wrong or too large gives a plan that does nothing: see `checkDevicePlan`.
   *
   * @throws {InvalidArgumentError} for a tensor of a wrong shape, or without a capacity; {CapacityError} for more than was declared;
   *   {NotSupportedError} for what only the host plans: more queries a request than a decode tile holds, `batchInvariant`.
   */
  planOnDevice(options: DevicePlanOptions): void {
    this.#assertOpen("plan on the device");
    const { config, frame } = this.#planner;
    const { stream } = this.#options;
    const shape = checkDeviceBatch(this.device, config, options);
    this.#buffer.reserve(frame!.layout, frame!.workspaceBytes);
    const args = this.#devicePlanArgs;
    writeDevicePlanArgs(args, config, frame!, this.#buffer, shape, options);
    const { capture } = stream;
    if (capture === undefined) options.beforeStep?.();
    const { native } = this.device;
    native.check(native.fp_plan_decode(stream.handle, args.bytes), "plan on the device");
    const plan = bindDevicePlan(frame!, this.#buffer, shape, options);
    if (capture === undefined) {
      this.#plan = plan;
      return;
    }
    this.#captured = { capture, plan };
    capture.atLaunch.push(() => {
      options.beforeStep?.();
      this.#plan = plan;
    });
  }

  /**
   * Waits, and checks the plan that the device made last.
   *
   * @throws {InvalidArgumentError | CapacityError} naming what was wrong with the batch.
   */
  async checkDevicePlan(): Promise<void> {
    await this.#readDevicePlan(PLAN_HEADER.words);
  }

  /** Waits, and reads back the plan that the device made last: for `planToJson`, traces and tests. @throws as `checkDevicePlan`. */
  async readDevicePlan(): Promise<Plan> {
    const { frame, config } = this.#planner;
    const { words, shape, options } = await this.#readDevicePlan(frame?.layout.numPlanWords ?? 0);
    return planOfDeviceWords(words, config, frame!, shape, options);
  }

  async #readDevicePlan(numWords: number) {
    this.#assertOpen("read a plan");
    const batch = this.#plan?.batch;
    if (batch === undefined) {
      throw new InvalidArgumentError(
        "Cannot read a plan: the device made none, or the host planned since. Call planOnDevice(), or launch the graph that holds it.",
      );
    }
    const words = await this.#buffer.read(numWords, this.#options.stream);
    checkDeviceStatus(words, batch.shape, batch.options);
    return { words, ...batch };
  }

  /**
   * Enqueues the planned batch over one layer's pages. Returns `out`.
   *
   * @throws {InvalidArgumentError} if nothing is planned, or a tensor does not fit the plan.
   */
  run({ q, qScale = 1, cache, layer = 0, out, lse, trace }: RunOptions): Tensor {
    this.#assertOpen("run attention");
    const { numQoHeads, headDimQk, headDimVo, dtype, qDtype, stream } = this.#options;
    const { capture } = stream;
    const isPlannedInGraph = capture !== undefined && this.#captured?.capture === capture;
    const plan = isPlannedInGraph ? this.#captured!.plan : this.#plan;
    if (plan === undefined) {
      throw new InvalidArgumentError("Cannot run attention: nothing is planned. Call plan() first.");
    }
    const { numTokens } = plan;
    this.#expect("q", q, qDtype, numTokens, headDimQk);
    checkLayerScale("run attention", "qScale", qScale, this.device, qDtype, numQoHeads);
    if (out !== undefined) this.#expect("out", out, dtype, numTokens, headDimVo);
    if (lse !== undefined) this.#expectLse(lse, numTokens);
    const args = this.#args;
    if (this.#bound !== plan) plan.bind(args);
    this.#bound = plan;
    if ("pool" in cache) bindCache(args, this.device, this.#options, plan, cache, layer);
    else bindForeign(args, this.device, this.#options, plan, cache);
    if (plan.maxPage >= args.numPages) {
      throw new InvalidArgumentError(
        `Cannot run attention: the plan uses page ${plan.maxPage}, and the cache has ${args.numPages} pages. Plan with this cache's page table.`,
      );
    }
    args.q = q.address;
    args.qTokenStride = q.strides[0];
    args.qHeadStride = q.strides[1];
    [args.qScale, args.qHeadScales] = scaleArguments(qScale);
    args.lse = lse?.address ?? 0;
    args.trace = trace?.addressFor(this.device, stream) ?? 0;
    args.traceCapacity = trace?.capacity ?? 0;
    return withOutput(out, () => this.device.tensor([numTokens, numQoHeads, headDimVo], dtype), (result) => {
      args.out = result.address;
      args.outTokenStride = result.strides[0];
      args.outHeadStride = result.strides[1];
      if (numTokens === 0) return;
      const { native } = this.device;
      native.check(native.fp_attention_run(stream.handle, args.bytes), "run attention");
      if (capture === undefined || isPlannedInGraph) return;
      if (!plan.hasFixedCapacity) this.#isInGraph = true;
      else capture.atLaunch.push(() => this.#checkReplay(plan));
    });
  }

  /** Before a graph replays a run that it did not plan itself. */
  #checkReplay(captured: PlanBinding): void {
    if (!this.#disposed && this.#plan !== undefined) checkReplay(captured, this.#plan);
  }

  #expect(name: string, tensor: Tensor, dtype: DType, numTokens: number, dim: number): void {
    const { numQoHeads } = this.#options;
    const { shape } = tensor;
    if (tensor.device !== this.device) {
      throw new InvalidArgumentError(
        `Cannot run attention: ${name} lies on ${tensor.device.name}, the attention on ${this.device.name}.`,
      );
    }
    if (tensor.dtype !== dtype) {
      throw new InvalidArgumentError(
        `Cannot run attention: ${name} has dtype ${tensor.dtype}, the attention ${dtype}.`,
      );
    }
    if (shape.length !== 3 || shape[0] !== numTokens || shape[1] !== numQoHeads || shape[2] !== dim) {
      throw new InvalidArgumentError(
        `Cannot run attention: ${name} has shape [${shape}]. The plan is for [numTokens, numQoHeads, headDim] = [${[
          numTokens,
          numQoHeads,
          dim,
        ]}].`,
      );
    }
    if (tensor.strides[2] !== 1) {
      throw new InvalidArgumentError(
        `Cannot run attention: ${name} has innermost stride ${tensor.strides[2]}. It must be 1.`,
      );
    }
  }

  #expectLse(lse: Tensor, numTokens: number): void {
    const { numQoHeads } = this.#options;
    if (
      lse.device !== this.device || lse.dtype !== "f32" || lse.shape.length !== 2 || lse.shape[0] !== numTokens ||
      lse.shape[1] !== numQoHeads || !lse.isContiguous
    ) {
      throw new InvalidArgumentError(
        `Cannot run attention: lse is ${lse.dtype} [${lse.shape}]. Expected contiguous f32 [${[
          numTokens,
          numQoHeads,
        ]}] on the attention's device.`,
      );
    }
  }

  #assertOpen(action: string): void {
    if (this.#disposed) throw new DisposedError(`Cannot ${action}: the attention was disposed.`);
    this.device.assertOpen(action);
  }

  /** Gives the plan's memory back once work under way is done. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#buffer.dispose();
    this.#mask?.dispose();
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

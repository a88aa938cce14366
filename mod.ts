/**
 * flashpage: attention over paged KV caches for serving language models, on CUDA and the CPU, in Deno and Bun.
 *
 * Start with {@linkcode openDevice}, {@linkcode PagedKvCache} and {@linkcode BatchAttention}.
 *
 * @module
 */
export * from "./src/errors.ts";
export type { DType, Fp8DType, RawArray } from "./src/device/dtype.ts";
export {
  Device,
  type DeviceFacts,
  type DeviceMemoryUsage,
  openDevice,
  type OpenDeviceOptions,
} from "./src/device/device.ts";
export { Event } from "./src/device/event.ts";
export { type Capture, Stream } from "./src/device/stream.ts";
export { Tensor } from "./src/device/tensor.ts";
export { blockSparseLevel, type BlockSparseMatrix } from "./src/formats/block_sparse.ts";
export { type KvLevel, type PrefixGroup, sharedPrefixLevels } from "./src/formats/levels.ts";
export {
  densePageTable,
  type KvCsr,
  kvLen,
  numRows,
  type PageTable,
  pageTable,
  pageTableFromCsr,
  pageTableFromLists,
} from "./src/formats/page_table.ts";
export { indptrOf, raggedPageTable } from "./src/formats/ragged.ts";
export type { KvLayout, KvStrides } from "./src/kv_cache/layout.ts";
export { PagePool } from "./src/kv_cache/page_pool.ts";
export {
  type AppendRope,
  type AppendSlots,
  type DeviceSlots,
  type KvLayer,
  type KvWrite,
  PagedKvCache,
  type PagedKvCacheOptions,
} from "./src/kv_cache/paged_kv_cache.ts";
export type { KvScale, LayerScale } from "./src/kv_cache/scales.ts";
export { type PrefixMatch, PrefixTree } from "./src/kv_cache/prefix_tree.ts";
export { Sequence } from "./src/kv_cache/sequence.ts";
export { BatchAttention, type PlanOptions, type RunOptions } from "./src/attention/batch_attention.ts";
export type { ForeignKv } from "./src/attention/bind_kv.ts";
export { type CustomMask, packCustomMask } from "./src/attention/custom_mask.ts";
export { mergeStates, type MergeStatesOptions } from "./src/attention/merge_states.ts";
export type { AttentionCapacity, BatchAttentionOptions } from "./src/attention/options.ts";
export { RunTrace, type RunTraceOptions, type TraceReading, type TraceRecord } from "./src/attention/run_trace.ts";
export { toPerfetto } from "./src/attention/trace_perfetto.ts";
export { traceSvg } from "./src/attention/trace_svg.ts";
export type { DevicePages, DevicePlanOptions } from "./src/attention/device_plan.ts";
export { capture, CapturedGraph } from "./src/graphs/capture.ts";
export { DeviceBatch, type DeviceBatchContents, type DeviceBatchOptions } from "./src/graphs/device_batch.ts";
export { embedding, type EmbeddingOptions } from "./src/ops/embedding.ts";
export { linear, type LinearOptions } from "./src/ops/linear.ts";
export { rmsNorm, type RmsNormOptions } from "./src/ops/rms_norm.ts";
export {
  type Llama3RopeScaling,
  rope,
  ropeFrequencies,
  type RopeFrequencyOptions,
  type RopeOptions,
} from "./src/ops/rope.ts";
export { argmax, type ArgmaxOptions, sample, type SampleOptions, type SamplingParams } from "./src/ops/sampling.ts";
export { siluAndMul, type SiluAndMulOptions } from "./src/ops/silu_and_mul.ts";
export type { CostModel, SplitCosts } from "./src/planner/cost.ts";
export type { PlanExplanation } from "./src/planner/explain.ts";
export type { PlanBounds, PlanLayout } from "./src/plan_buffers/layout.ts";
export {
  type MergeItemView,
  type Plan,
  type PlanJson,
  planToJson,
  type RowEntryView,
  type RowTileView,
  type WorkItemView,
} from "./src/planner/plan.ts";
export type { PlannerLimits } from "./src/planner/problem.ts";

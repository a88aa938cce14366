/** Runs a batch on a device in one of the ways that users may lay out their memory, and gives back what was written. */
import assert from "node:assert/strict";
import {
  BatchAttention,
  type BatchAttentionOptions,
  type Device,
  type DType,
  type ForeignKv,
  PagedKvCache,
  type RawArray,
  type Tensor,
} from "../../mod.ts";
import { fromRaw, isFp8, rawArray } from "../../src/device/dtype.ts";
import { addressOf } from "../support/foreign.ts";
import type { Random } from "../support/random.ts";
import type { Batch } from "./batch.ts";
import type { AttentionCase } from "./cases.ts";
import { canPlanOnDevice, capacityOf, numRowsOf, planBatch, type Planning } from "./planning.ts";

/** How memory is laid out, how the attention is made, and how it is planned. */
export interface Variant extends Planning {
  /** Our own cache; tensors; K and V in one tensor, page by page; memory that another library owns. */
  storage: "cache" | "tensors" | "interleaved" | "pointers";
  /** Of q and out: dense; with gaps; heads outermost. */
  rows: "dense" | "gaps" | "heads first";
  wantsLse: boolean;
  /** With a capacity; always so in a graph, or if the device plans. */
  hasCapacity: boolean;
  /** The host does what the device can't. */
  planner: Planning["planner"];
  /** Run twice from one plan, then plan again and run: all must give the same bits. */
  repeats: boolean;
}

/** Outputs on the host. */
export interface Result {
  /** [numTokens, numQoHeads, headDimVo] */
  out: Float32Array;
  /** [numTokens, numQoHeads] */
  lse?: Float32Array;
}

/** Bits that no kernel writes by chance: a NaN with a payload. */
const GAP = { f32: 0x7fc12345, f16: 0x7ead, bf16: 0x7fad, e4m3: 0x7f } as const;

/** From our own cache, with nothing special. */
export const PLAIN_VARIANT: Variant = {
  storage: "cache",
  rows: "dense",
  wantsLse: true,
  hasCapacity: false,
  planner: "host",
  isCaptured: false,
  repeats: true,
};

/** A variant drawn for a case. */
export function variantOf(random: Random): Variant {
  return {
    storage: random.pick(["cache", "tensors", "interleaved", "pointers"]),
    rows: random.pick(["dense", "dense", "gaps", "heads first"]),
    wantsLse: random.next() < 0.7,
    hasCapacity: random.next() < 0.3,
    planner: random.next() < 0.5 ? "device" : "host",
    isCaptured: random.next() < 0.3,
    repeats: random.next() < 0.3,
  };
}

/** Runs a batch. `owner`: another device of the same kind, whose memory is foreign to `device`. */
export async function runBatch(
  device: Device,
  owner: Device,
  attention: AttentionCase,
  batch: Batch,
  variant: Variant,
): Promise<Result> {
  using stack = new DisposableStack();
  const { numKvHeads, groupSize, headDim, headDimVo = headDim, dtype, qDtype = dtype } = attention;
  const { numTokens } = batch;
  const numQoHeads = numKvHeads * groupSize;
  const { isCaptured } = variant;
  const planner = canPlanOnDevice(attention, batch) ? variant.planner : "host";
  const hasCapacity = variant.hasCapacity || isCaptured || planner === "device";
  const engine = stack.use(
    new BatchAttention(device, { ...optionsOf(attention), capacity: hasCapacity ? capacityOf(batch) : undefined }),
  );
  const numRows = numRowsOf(batch, planner);
  const q = rowsTensor(device, stack, [numRows, numQoHeads, headDim], numTokens, qDtype, variant.rows, batch.q);
  const qScale = batch.qScale instanceof Float32Array ? stack.use(device.fromArray(batch.qScale, "f32")) : batch.qScale;
  const out = rowsTensor(device, stack, [numRows, numQoHeads, headDimVo], numTokens, dtype, variant.rows);
  const lse = variant.wantsLse ? stack.use(device.tensor([numRows, numQoHeads], "f32")) : undefined;
  const cache = await placeKv(device, owner, stack, attention, batch, variant);
  const run = (): void => void engine.run({ q: q.view, qScale, cache, out: out.view, lse });
  const planned = planBatch(device, stack, engine, batch, { planner, isCaptured }, run);
  const runOnce = async (): Promise<{ out: RawArray; lse?: Float32Array }> => {
    out.poison();
    lse?.fillBytes(0xff);
    planned.run();
    const written = await lse?.read() as Float32Array | undefined;
    const behind = written?.subarray(numTokens * numQoHeads);
    assert.ok(behind?.every(Number.isNaN) ?? true, "lse behind the batch was written");
    return { out: await out.read(), lse: written?.subarray(0, numTokens * numQoHeads) };
  };
  const first = await runOnce();
  await planned.check();
  if (variant.repeats) {
    assertSameBits(await runOnce(), first, "the same plan gave other bits the second time");
    planned.plan();
    assertSameBits(await runOnce(), first, "the same batch planned again gave other bits");
  }
  return { out: fromRaw(dtype, first.out) as Float32Array, lse: first.lse };
}

/** How a case's attention is made. */
export function optionsOf(attention: AttentionCase): BatchAttentionOptions {
  const { numKvHeads, groupSize, headDim, headDimVo, dtype, kvDtype, qDtype } = attention;
  const { causal, windowLeft, windowRight, smScale, logitsSoftCap } = attention;
  return {
    numQoHeads: numKvHeads * groupSize,
    numKvHeads,
    headDim,
    headDimVo,
    dtype,
    kvDtype,
    qDtype,
    causal,
    windowLeft,
    windowRight,
    smScale,
    logitsSoftCap,
  };
}

/** Faster than deepEqual, which matters for millions of elements. NaN equals NaN: poison that was left is the check's to find. */
function assertSameBits(
  a: { out: RawArray; lse?: Float32Array },
  b: { out: RawArray; lse?: Float32Array },
  message: string,
): void {
  assert.ok(a.out.every((value, i) => Object.is(value, b.out[i])), message);
  assert.ok(a.lse === undefined || a.lse.every((value, i) => Object.is(value, b.lse![i])), `${message} (lse)`);
}

/** A tensor of rows in some layout, with the memory around them. */
interface Rows {
  view: Tensor;
  /** Overwrites rows and gaps. */
  poison(): void;
  /** The rows in dense order; asserts that the gaps were not written. */
  read(): Promise<RawArray>;
}

/** `numUsed`: the first rows have content, or get it. */
function rowsTensor(
  device: Device,
  stack: DisposableStack,
  shape: [number, number, number],
  numUsed: number,
  dtype: DType,
  layout: Variant["rows"],
  content?: RawArray,
): Rows {
  const [numTokens, numHeads, dim] = shape;
  // Rows begin at multiples of 16 bytes, as CUDA wants them.
  const strides = layout === "dense"
    ? [numHeads * dim, dim, 1]
    : layout === "gaps"
    ? [(numHeads + 1) * (dim + 16), dim + 16, 1]
    : [dim, numTokens * dim + 16, 1];
  const offset = layout === "gaps" ? 48 : 0;
  const count = offset + (numTokens === 0 ? 0 : (numTokens - 1) * strides[0] + (numHeads - 1) * strides[1] + dim) +
    offset;
  const backing = stack.use(device.tensor([count], dtype));
  const wide = dtype === "f32"
    ? new Uint32Array(new ArrayBuffer(4 * count))
    : isFp8(dtype)
    ? new Uint8Array(new ArrayBuffer(count))
    : new Uint16Array(new ArrayBuffer(2 * count));
  const gap = GAP[dtype as keyof typeof GAP];
  wide.fill(gap);
  const asRaw = (bits: typeof wide): RawArray => bits instanceof Uint32Array ? new Float32Array(bits.buffer) : bits;
  const forEachRow = (visit: (at: number, index: number) => void): void => {
    for (let token = 0; token < numUsed; token++) {
      for (let head = 0; head < numHeads; head++) {
        visit(offset + token * strides[0] + head * strides[1], (token * numHeads + head) * dim);
      }
    }
  };
  if (content !== undefined) {
    const target = asRaw(wide);
    forEachRow((at, index) => target.set(content.subarray(index, index + dim), at));
    backing.write(target);
  }
  return {
    view: numTokens === 0 ? backing.view(shape, [0, 0, 1]) : backing.view(shape, strides, offset),
    poison: () => backing.write(asRaw(wide)),
    async read() {
      const raw = await backing.readRaw();
      const dense = rawArray(dtype, numUsed * numHeads * dim);
      const bits = dtype === "f32" ? new Uint32Array(raw.buffer) : raw;
      forEachRow((at, index) => {
        dense.set(raw.subarray(at, at + dim), index);
        bits.fill(gap, at, at + dim);
      });
      assert.ok(bits.every((value) => value === gap), "memory between or behind the rows of out was written");
      return dense;
    },
  };
}

/** Puts K and V on the device the way the variant says. */
async function placeKv(
  device: Device,
  owner: Device,
  stack: DisposableStack,
  attention: AttentionCase,
  batch: Batch,
  { storage }: Variant,
): Promise<PagedKvCache | ForeignKv> {
  const { pageSize, numKvHeads, headDim, headDimVo = headDim, kvLayout = "NHD" } = attention;
  const { kvDtype: dtype = attention.dtype } = attention;
  const { numPages, kScale, vScale } = batch;
  const k = kvLayout === "NHD" ? batch.k : headsFirst(batch.k, dtype, numPages, pageSize, numKvHeads, headDim);
  const v = kvLayout === "NHD" ? batch.v : headsFirst(batch.v, dtype, numPages, pageSize, numKvHeads, headDimVo);
  const inner = kvLayout === "NHD" ? [pageSize, numKvHeads] : [numKvHeads, pageSize];
  const [kShape, vShape] = [[numPages, ...inner, headDim], [numPages, ...inner, headDimVo]];
  if (storage === "cache") {
    const cache = stack.use(
      new PagedKvCache(device, { numPages, pageSize, numKvHeads, headDim, headDimVo, dtype, kvLayout, kScale, vScale }),
    );
    cache.layer(0).k.write(k);
    cache.layer(0).v.write(v);
    return cache;
  }
  const onDevice = (scale: number | Float32Array | undefined): number | Tensor | undefined =>
    scale instanceof Float32Array ? stack.use(device.fromArray(scale, "f32")) : scale;
  const format = { kvLayout, kScale: onDevice(kScale), vScale: onDevice(vScale) };
  if (storage === "interleaved") {
    const [kPage, vPage] = [k.length / numPages, v.length / numPages];
    const both = rawArray(dtype, k.length + v.length);
    for (let page = 0; page < numPages; page++) {
      both.set(k.subarray(page * kPage, (page + 1) * kPage), page * (kPage + vPage));
      both.set(v.subarray(page * vPage, (page + 1) * vPage), page * (kPage + vPage) + kPage);
    }
    const tensor = stack.use(device.fromArray(both, dtype));
    const strides = (dim: number): number[] => [kPage + vPage, inner[1] * dim, dim, 1];
    return { k: tensor.view(kShape, strides(headDim)), v: tensor.view(vShape, strides(headDimVo), kPage), ...format };
  }
  if (storage === "pointers") {
    // On the CPU, JavaScript's own memory is foreign memory too. It must neither move nor be collected before the work has ended.
    if (device.kind === "cpu" && numPages % 2 === 0) {
      stack.adopt([k, v], () => {});
      return {
        k: stack.use(device.fromPointer(addressOf(k), kShape, dtype)),
        v: stack.use(device.fromPointer(addressOf(v), vShape, dtype)),
        ...format,
      };
    }
    const [kOwned, vOwned] = [stack.use(owner.fromArray(k, dtype)), stack.use(owner.fromArray(v, dtype))];
    await owner.synchronize();
    return {
      k: stack.use(device.fromPointer(kOwned.address, kShape, dtype)),
      v: stack.use(device.fromPointer(vOwned.address, vShape, dtype)),
      ...format,
    };
  }
  return {
    k: stack.use(device.fromArray(k, dtype, kShape)),
    v: stack.use(device.fromArray(v, dtype, vShape)),
    ...format,
  };
}

/** [page, token, head, dim] to [page, head, token, dim]. */
function headsFirst(
  raw: RawArray,
  dtype: DType,
  numPages: number,
  pageSize: number,
  numHeads: number,
  dim: number,
): RawArray {
  const out = rawArray(dtype, raw.length);
  for (let page = 0; page < numPages; page++) {
    for (let token = 0; token < pageSize; token++) {
      for (let head = 0; head < numHeads; head++) {
        const from = ((page * pageSize + token) * numHeads + head) * dim;
        out.set(raw.subarray(from, from + dim), ((page * numHeads + head) * pageSize + token) * dim);
      }
    }
  }
  return out;
}

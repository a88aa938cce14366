/**
 * Attention on the CPU: decoding as GB/s of K and V beside the machine's read bandwidth, prefill as GFLOP/s beside its multiply-adds. Pages
 * are in random order, and decoding takes turns on more K and V than caches hold, as a model's layers do. One row of each result is
 * checked before it is timed.
 *
 *   deno run -A bench/cpu/attention_bench.ts [--threads 2] [--dtype bf16] [--kv-dtype e4m3] [--only decode|prefill] [--calls 20]
 *     [--json FILE]
 *
 * FLASHPAGE_CPU_ISA=avx2 measures another instruction set.
 */
import { BatchAttention, type Device, type DType, openDevice, type Tensor } from "../../mod.ts";
import { DTYPE_BYTES } from "../../src/device/dtype.ts";
import { formatCase, option } from "../support/cases.ts";
import { randomTensor } from "../support/random_tensor.ts";
import { printRows, type ResultRow, writeResults } from "../support/results.ts";
import { timeCalls } from "../support/timer.ts";
import { type MachineRoofline, measureMachine, peakGflops } from "./machine.ts";

/** What no cache of the machines at hand holds. */
const COLD_BYTES = 256 << 20;

interface AttentionCase {
  readonly kind: "decode" | "prefill";
  readonly batch: number;
  readonly length: number;
  readonly numQoHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly pageSize: number;
  readonly kvLayout: "NHD" | "HND";
  /** Of K and V; by default that of the whole run, which is that of q unless --kv-dtype says otherwise. */
  readonly kvDtype?: DType;
}

const DECODE: AttentionCase = {
  kind: "decode",
  batch: 4,
  length: 4096,
  numQoHeads: 32,
  numKvHeads: 8,
  headDim: 128,
  pageSize: 16,
  kvLayout: "NHD",
};
const PREFILL: AttentionCase = { ...DECODE, kind: "prefill", batch: 1, length: 2048 };
/** SmolLM2's heads. */
const SMALL = { length: 512, numQoHeads: 9, numKvHeads: 3, headDim: 64 } as const;

const CASES: readonly AttentionCase[] = [
  DECODE,
  { ...DECODE, kvLayout: "HND" },
  { ...DECODE, pageSize: 1 },
  { ...DECODE, numQoHeads: 8 },
  { ...DECODE, numQoHeads: 64 },
  { ...DECODE, ...SMALL, batch: 8 },
  { ...DECODE, kvDtype: "e4m3" },
  { ...DECODE, numQoHeads: 64, kvDtype: "e4m3" },
  PREFILL,
  { ...PREFILL, numQoHeads: 8, headDim: 256 },
  { ...PREFILL, ...SMALL, batch: 4 },
];

/** The last token's first head, in f64. */
async function lastRow(c: AttentionCase, q: Tensor, k: Tensor, v: Tensor, pages: Int32Array): Promise<Float64Array> {
  const { numKvHeads, headDim, pageSize, length, kvLayout } = c;
  const query = (await q.slice(q.shape[0] - 1, q.shape[0]).read()).subarray(0, headDim);
  const scores = new Float64Array(length);
  const rows: Float32Array[] = [];
  for (let page = 0; page < length / pageSize; page++) {
    const id = pages[pages.length - length / pageSize + page];
    const [keys, values] = [await k.slice(id, id + 1).read(), await v.slice(id, id + 1).read()];
    for (let t = 0; t < pageSize; t++) {
      const at = kvLayout === "NHD" ? t * numKvHeads * headDim : t * headDim;
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += query[i] * keys[at + i];
      scores[page * pageSize + t] = dot / Math.sqrt(headDim);
      rows.push(Float32Array.from(values.subarray(at, at + headDim)));
    }
  }
  const max = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const out = new Float64Array(headDim);
  let sum = 0;
  rows.forEach((row, t) => {
    const weight = Math.exp(scores[t] - max);
    sum += weight;
    for (let i = 0; i < headDim; i++) out[i] += weight * row[i];
  });
  return out.map((x) => x / sum);
}

async function measure(
  device: Device,
  machine: MachineRoofline,
  c: AttentionCase,
  dtype: DType,
  kvDtype: DType,
  calls: number,
): Promise<ResultRow> {
  const { kind, batch, length, numQoHeads, numKvHeads, headDim, pageSize, kvLayout } = c;
  const isPrefill = kind === "prefill";
  const numPages = batch * length / pageSize;
  const numTokens = isPrefill ? batch * length : batch;
  const page = kvLayout === "NHD" ? [pageSize, numKvHeads] : [numKvHeads, pageSize];
  const bytes = 2 * batch * length * numKvHeads * headDim * DTYPE_BYTES[kvDtype];
  const numCaches = isPrefill ? 1 : Math.ceil(COLD_BYTES / bytes);
  using keys = randomTensor(device, [numCaches * numPages, ...page, headDim], kvDtype, 1);
  using values = randomTensor(device, [numCaches * numPages, ...page, headDim], kvDtype, 2);
  const caches = Array.from({ length: numCaches }, (_, i) => ({
    k: keys.slice(i * numPages, (i + 1) * numPages),
    v: values.slice(i * numPages, (i + 1) * numPages),
    kvLayout,
  }));
  using q = randomTensor(device, [numTokens, numQoHeads, headDim], dtype, 3);
  using out = device.tensor([numTokens, numQoHeads, headDim], dtype);
  const indices = Int32Array.from({ length: numPages }, (_, i) => i);
  for (let i = numPages - 1; i > 0; i--) {
    const j = Math.floor(Math.abs(Math.sin(i) * 1e4 % 1) * (i + 1));
    [indices[i], indices[j]] = [indices[j], indices[i]];
  }
  using attention = new BatchAttention(device, { numQoHeads, numKvHeads, headDim, dtype, kvDtype, causal: true });
  const each = numPages / batch;
  attention.plan({
    qoIndptr: Int32Array.from({ length: batch + 1 }, (_, i) => i * numTokens / batch),
    pages: {
      indptr: Int32Array.from({ length: batch + 1 }, (_, i) => i * each),
      indices,
      lastPageLen: new Int32Array(batch).fill(pageSize),
      pageSize,
    },
  });
  attention.run({ q, cache: caches[0], out });
  const want = await lastRow(c, q, caches[0].k, caches[0].v, indices);
  const got = await out.slice(numTokens - 1, numTokens).read();
  for (let i = 0; i < headDim; i++) {
    if (!(Math.abs(got[i] - want[i]) <= 0.02)) throw new Error(`out[${i}] is ${got[i]}, and should be ${want[i]}.`);
  }
  let turn = 0;
  const run = (): void => void attention.run({ q, cache: caches[turn++ % numCaches], out });
  const microseconds = Math.min(...await timeCalls(device, run, calls));
  const flops = 4 * batch * (length * (length + 1) / 2) * numQoHeads * headDim;
  return {
    case: formatCase({
      kind,
      params: {
        ...(isPrefill ? { causal: 1 } : {}),
        d: headDim,
        hq: numQoHeads,
        hkv: numKvHeads,
        b: batch,
        l: length,
        page: pageSize,
        layout: kvLayout,
        dtype,
        ...(kvDtype === dtype ? {} : { kv: kvDtype }),
        threads: machine.threads,
      },
    }),
    metric: isPrefill ? "compute" : "bandwidth",
    unit: isPrefill ? "GFLOP/s" : "GB/s",
    ours: 1e-3 * (isPrefill ? flops : bytes) / microseconds,
    peers: {},
    roofline: isPrefill ? peakGflops(machine, device.facts.computeCapability, dtype) : machine.readGBps,
  };
}

const threads = Number(option("threads") ?? navigator.hardwareConcurrency);
const dtype = (option("dtype") ?? "bf16") as DType;
const kvDtype = (option("kv-dtype") ?? dtype) as DType;
const only = option("only");
const calls = Number(option("calls") ?? 20);
using device = await openDevice({ backend: "cpu", numThreads: threads });
const machine = await measureMachine(threads);
console.log(`${device.name}, level ${device.facts.computeCapability}: ${JSON.stringify(machine)}`);
const rows: ResultRow[] = [];
for (const c of CASES) {
  if (only !== undefined && c.kind !== only) continue;
  const row = await measure(device, machine, c, dtype, c.kvDtype ?? kvDtype, calls);
  rows.push(row);
  printRows([row]);
}
const path = option("json");
if (path !== undefined) writeResults(path, device, rows);

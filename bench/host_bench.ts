/**
 * What the host pays: planning a batch (with and without the plan's way to the device), and enqueueing a `run`, in Deno and in Bun.
 *
 *   deno run -A bench/host_bench.ts [--backend cpu|cuda] [--json FILE]
 *   bun bench/host_bench.ts
 *
 * `run` counts from the call to its return, which is before the device has done the work: the queue is emptied after each sample.
 */
import process from "node:process";
import { writeFileSync } from "node:fs";
import { Bench } from "tinybench";
import { BatchAttention, type Device, indptrOf, openDevice, pageTableFromLists } from "../mod.ts";
import { createPlanner } from "../src/planner/planner.ts";
import { formatCase, option } from "./support/cases.ts";
import { H100_LIMITS } from "./support/h100_limits.ts";
import { type ResultRow, resultsText, round } from "./support/results.ts";

const HEADS = { numQoHeads: 32, numKvHeads: 8, headDim: 128 } as const;

/** Requests of uneven lengths around 1000 tokens, in pages of 16. */
function batchOf(b: number, qoLen: number) {
  const kvLens = Array.from({ length: b }, (_, r) => 500 + (r * 7919) % 1000);
  let next = 0;
  const lists = kvLens.map((kvLen) => Int32Array.from({ length: Math.ceil(kvLen / 16) }, () => next++));
  return { qoIndptr: indptrOf(Array(b).fill(qoLen)), pages: pageTableFromLists(lists, kvLens, 16) };
}

async function planRow(device: Device, b: number, qoLen: number): Promise<ResultRow> {
  using attention = new BatchAttention(device, { ...HEADS, dtype: "bf16", causal: true });
  const batch = batchOf(b, qoLen);
  const us = await medianOf(() => {
    attention.plan(batch);
  });
  await device.synchronize();
  return row("plan", { b, qo: qoLen, kv: "500..1500", page: 16 }, us);
}

/** The planner alone, for the CTAs and tiles of an H100. */
async function plannerRow(b: number, qoLen: number): Promise<ResultRow> {
  const { numQoHeads, numKvHeads, headDim } = HEADS;
  const planner = createPlanner({ numQoHeads, numKvHeads, headDimVo: headDim, causal: true, limits: H100_LIMITS });
  const batch = batchOf(b, qoLen);
  const us = await medianOf(() => {
    planner.plan(batch);
  });
  return row("planner", { ctas: H100_LIMITS.numCtas, b, qo: qoLen, kv: "500..1500", page: 16 }, us);
}

async function runRow(device: Device): Promise<ResultRow> {
  using attention = new BatchAttention(device, { ...HEADS, dtype: "bf16", causal: true });
  using q = device.tensor([1, HEADS.numQoHeads, HEADS.headDim], "bf16");
  using out = device.tensor([1, HEADS.numQoHeads, HEADS.headDim], "bf16");
  using k = device.tensor([1, 16, HEADS.numKvHeads, HEADS.headDim], "bf16");
  using v = device.tensor([1, 16, HEADS.numKvHeads, HEADS.headDim], "bf16");
  for (const tensor of [q, k, v]) tensor.fillBytes(0);
  attention.plan({ qoIndptr: indptrOf([1]), pages: pageTableFromLists([[0]], [16], 16) });
  const cache = { k, v };
  const times: number[] = [];
  for (let sample = 0; sample < 300; sample++) {
    const calls = 10;
    const start = performance.now();
    for (let i = 0; i < calls; i++) attention.run({ q, cache, out });
    times.push((performance.now() - start) * 1000 / calls);
    await device.synchronize();
  }
  times.sort((a, b) => a - b);
  return row("run", { b: 1, kv: 16, page: 16 }, times[times.length >> 1]);
}

async function medianOf(run: () => void): Promise<number> {
  const bench = new Bench({ time: 500, warmupTime: 200 });
  bench.add("it", run);
  await bench.run();
  const result = bench.tasks[0].result;
  if (!("latency" in result)) throw new Error(`The benchmark ended as ${result.state}.`);
  return result.latency.p50 * 1000;
}

function row(kind: string, params: Record<string, number | string>, us: number): ResultRow {
  const runtime = "Deno" in globalThis ? "deno" : "bun";
  const name = formatCase({ kind, params: { ...params, runtime } });
  return { case: name, metric: "host time", unit: "us", ours: round(us, 3), peers: {}, roofline: null };
}

using device = await openDevice({ backend: (option("backend", process.argv) ?? "cpu") as "cpu" | "cuda" });
const rows = [await runRow(device)];
for (const b of [1, 64, 256, 1024]) rows.push(await planRow(device, b, 1));
for (const b of [64, 1024]) rows.push(await planRow(device, b, 128));
for (const b of [1, 32, 64, 256, 1024]) rows.push(await plannerRow(b, 1));
for (const b of [64, 1024]) rows.push(await plannerRow(b, 128));
for (const { case: name, ours, unit } of rows) console.log(`${name.padEnd(50)} ${ours} ${unit}`);
const json = option("json", process.argv);
if (json !== undefined) writeFileSync(json, resultsText(device, rows));

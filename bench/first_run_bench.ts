/**
 * What a program waits for before its first result, its own tensors aside: milliseconds to open the device, to create an attention and plan a batch, and
 * of the first run, which loads the kernels that it needs, and the second. The device is asked until it has done each, without a pause. Each sample is a
 * process of its own; medians.
 *
 *   deno run -A bench/first_run_bench.ts [--backend cuda|cpu] [--processes 9] [--json FILE]
 *   bun bench/first_run_bench.ts
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { BatchAttention, openDevice, pageTableFromLists } from "../mod.ts";
import { formatCase, option } from "./support/cases.ts";
import { printRows, type ResultRow, round, writeResults } from "./support/results.ts";
import { median } from "./support/timer.ts";

const HEADS = { numQoHeads: 32, numKvHeads: 8, headDim: 128 } as const;
const KV_LEN = 1024;
const PAGE_SIZE = 16;
/** Query tokens of the request. */
const KINDS: Readonly<Record<string, number>> = { decode: 1, prefill: KV_LEN };
const STEPS = ["open", "create and plan", "first run", "second run"] as const;
const backend = option("backend") === "cpu" ? "cpu" : "cuda";

/** In a process that has done nothing before: milliseconds of each step. */
async function sample(qoLen: number): Promise<number[]> {
  const times: number[] = [];
  let begin = performance.now();
  const lap = (): void => void times.push(performance.now() - begin);
  using device = await openDevice({ backend });
  lap();
  using end = device.createEvent();
  const finish = (): void => {
    end.record();
    while (!end.query());
  };
  begin = performance.now();
  using attention = new BatchAttention(device, { ...HEADS, dtype: "bf16", causal: true });
  const numPages = KV_LEN / PAGE_SIZE;
  const pages = pageTableFromLists([Int32Array.from({ length: numPages }, (_, i) => i)], [KV_LEN], PAGE_SIZE);
  attention.plan({ qoIndptr: [0, qoLen], pages });
  finish();
  lap();
  const { numQoHeads, numKvHeads, headDim } = HEADS;
  using q = device.tensor([qoLen, numQoHeads, headDim], "bf16");
  using k = device.tensor([numPages, PAGE_SIZE, numKvHeads, headDim], "bf16");
  using v = device.tensor([numPages, PAGE_SIZE, numKvHeads, headDim], "bf16");
  using out = device.tensor([qoLen, numQoHeads, headDim], "bf16");
  for (const tensor of [q, k, v]) tensor.fillBytes(0);
  finish();
  for (let run = 0; run < 2; run++) {
    begin = performance.now();
    attention.run({ q, cache: { k, v }, out });
    finish();
    lap();
  }
  return times;
}

/** The same from processes of their own: of each step the median. */
function measure(kind: string, numProcesses: number): number[] {
  const [, script] = process.argv;
  const start = "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
  const samples = Array.from({ length: numProcesses }, () => {
    const args = [...start, "--backend", backend, "--sample", kind];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as number[];
  });
  return STEPS.map((_, i) => median(samples.map((times) => times[i])));
}

const sampled = option("sample");
if (sampled !== undefined) {
  console.log(JSON.stringify(await sample(KINDS[sampled])));
} else {
  const { numQoHeads: hq, numKvHeads: hkv, headDim: d } = HEADS;
  const rows = Object.entries(KINDS).flatMap(([kind, l]) =>
    measure(kind, Number(option("processes") ?? 9)).map((ms, i): ResultRow => ({
      case: formatCase({ kind, params: { b: 1, l, kv: KV_LEN, hq, hkv, d, page: PAGE_SIZE, dtype: "bf16" } }),
      metric: STEPS[i],
      unit: "ms",
      ours: round(ms),
      peers: {},
      roofline: null,
    }))
  );
  printRows(rows);
  const json = option("json");
  if (json !== undefined) {
    using device = await openDevice({ backend });
    writeResults(json, device, rows);
  }
}

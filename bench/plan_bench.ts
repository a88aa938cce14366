/**
 * Planning on a GPU: microseconds of the kernel that plans, and of a decode step in a graph with and without it. Timed by pairs of events, less what a
 * pair with nothing between reads. Caches are flushed before each call, as a model's weights do.
 *
 *   deno run -A bench/plan_bench.ts [--json FILE] [--rounds 4] [--calls 25]
 */
import { BatchAttention, capture, type Device, indptrOf, openDevice, pageTableFromLists, type Tensor } from "../mod.ts";
import { formatCase, option } from "./support/cases.ts";
import { randomTensor } from "./support/random_tensor.ts";
import { printRows, type ResultRow, round, writeResults } from "./support/results.ts";
import { L2Flush, median, sleep, timeCalls } from "./support/timer.ts";

const HEADS = { numQoHeads: 32, numKvHeads: 8, headDim: 128 } as const;
const PAGE_SIZE = 16;

/** Medians of several things, taken in turn. */
async function measure(
  device: Device,
  runs: readonly (() => void)[],
  rounds: number,
  calls: number,
): Promise<number[]> {
  using flush = new L2Flush(device);
  const times: number[][] = runs.map(() => []);
  for (let i = 0; i < rounds; i++) {
    await sleep(20);
    for (const [which, run] of runs.entries()) {
      run();
      times[which].push(...await timeCalls(device, run, calls, () => flush.run()));
    }
  }
  return times.map(median);
}

async function rowsOf(device: Device, lengths: string, kvLens: readonly number[]): Promise<ResultRow[]> {
  using stack = new DisposableStack();
  const b = kvLens.length;
  let next = 0;
  const lists = kvLens.map((kvLen) => Int32Array.from({ length: Math.ceil(kvLen / PAGE_SIZE) }, () => next++));
  const { indptr, indices, lastPageLen } = pageTableFromLists(lists, kvLens, PAGE_SIZE);
  const capacity = { maxTokens: b, maxRequests: b, maxPages: indices.length };
  const attention = stack.use(new BatchAttention(device, { ...HEADS, dtype: "bf16", causal: true, capacity }));
  const i32 = (values: Int32Array): Tensor => stack.use(device.fromArray(values, "i32", [values.length]));
  const batch = {
    qoIndptr: i32(indptrOf(new Array(b).fill(1))),
    pages: { indptr: i32(indptr), indices: i32(indices), lastPageLen: i32(lastPageLen), pageSize: PAGE_SIZE },
    slots: i32(new Int32Array(b)),
    positions: i32(new Int32Array(b)),
  };
  const { numQoHeads, numKvHeads, headDim } = HEADS;
  const q = stack.use(randomTensor(device, [b, numQoHeads, headDim], "bf16", 1));
  const k = stack.use(randomTensor(device, [indices.length, PAGE_SIZE, numKvHeads, headDim], "bf16", 2));
  const v = stack.use(randomTensor(device, [indices.length, PAGE_SIZE, numKvHeads, headDim], "bf16", 3));
  const out = stack.use(device.tensor([b, numQoHeads, headDim], "bf16"));
  const run = (): void => void attention.run({ q, cache: { k, v }, out });
  const { stream } = device;
  const both = stack.use(capture(stream, () => {
    attention.planOnDevice(batch);
    run();
  }));
  attention.planOnDevice(batch);
  await attention.checkDevicePlan();
  const alone = stack.use(capture(stream, run));
  const [empty, plan, planned, ready] = await measure(
    device,
    [() => {}, () => attention.planOnDevice(batch), () => both.launch(), () => alone.launch()],
    Number(option("rounds") ?? 4),
    Number(option("calls") ?? 25),
  );
  return ([["plan", plan], ["planned step", planned], ["step", ready]] as const).map(([kind, time]) => ({
    case: formatCase({
      kind,
      params: { b, kv: lengths, hq: numQoHeads, hkv: numKvHeads, d: headDim, page: PAGE_SIZE },
    }),
    metric: "time",
    unit: "us",
    ours: round(time - empty),
    peers: {},
    roofline: null,
  }));
}

using device = await openDevice({ backend: "cuda" });
const rows: ResultRow[] = [];
for (const b of [1, 16, 64, 256, 1024]) {
  for (
    const [lengths, kvLens] of [
      ["1024", new Array<number>(b).fill(1024)],
      ["500..1500", Array.from({ length: b }, (_, r) => 500 + r * 7919 % 1000)],
    ] as const
  ) {
    const some = await rowsOf(device, lengths, kvLens);
    printRows(some);
    rows.push(...some);
  }
}
const json = option("json");
if (json !== undefined) writeResults(json, device, rows);

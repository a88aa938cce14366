/**
 * Decode attention on a GPU: microseconds from the first launch to the end of the last, beside what reading K and V takes at the rate of a plain sum over
 * memory (PyTorch, if it is there). Caches are flushed before each call. The GPU's own records say when kernels ran (CUPTI). "between events" is what a
 * pair of events reads, less what a pair with nothing between reads: that has the launch in it too.
 *
 *   deno run -A bench/decode_bench.ts [--cases main] [--json FILE] [--rounds 4] [--calls 10] [--no-peer]
 *   deno bench -A bench/decode_bench.ts
 */
import { type Device, openDevice } from "../mod.ts";
import { flag, formatCase, option } from "./support/cases.ts";
import { benchCases } from "./support/deno_bench.ts";
import { KernelTimer } from "./support/kernel_timer.ts";
import { PreparedAttention } from "./support/prepared_attention.ts";
import { printRows, type ResultRow, round, writeResults } from "./support/results.ts";
import { type NamedAttentionCase, UNIFORM, ZIPF } from "./support/lengths.ts";
import { L2Flush, median, sleep, timeCalls } from "./support/timer.ts";
import { TorchPeer } from "./support/torch_peer.ts";

function lists(
  kvLens: readonly number[],
  lengths: Readonly<Record<string, number | string>>,
  change: Partial<NamedAttentionCase> = {},
): NamedAttentionCase {
  return {
    qoLens: kvLens.map(() => 1),
    kvLens,
    numQoHeads: 32,
    numKvHeads: 8,
    headDim: 128,
    causal: true,
    pageSize: 16,
    lengths: { b: kvLens.length, ...lengths },
    ...change,
  };
}

function decode(b: number, kv: number, change: Partial<NamedAttentionCase> = {}): NamedAttentionCase {
  return lists(Array<number>(b).fill(kv), { kv }, change);
}

const UNEVEN = [
  ...[32, 8, 4].map((numKvHeads) => lists(UNIFORM, { lens: "uniform" }, { numKvHeads })),
  ...[32, 8, 4].map((numKvHeads) => lists(ZIPF, { lens: "zipf" }, { numKvHeads })),
  lists([...UNIFORM, ...UNIFORM, ...UNIFORM, ...UNIFORM], { lens: "uniform" }),
];
const SKEW = lists([131072, ...Array<number>(63).fill(512)], { lens: "skew" });

const SETS: Readonly<Record<string, readonly NamedAttentionCase[]>> = {
  quick: [decode(64, 8192), decode(16, 1024), decode(1, 8192)],
  uneven: [...UNEVEN, SKEW],
  large: [decode(64, 8192), decode(128, 2048), decode(256, 512), decode(64, 1024)],
  main: [
    decode(64, 8192),
    decode(128, 2048),
    decode(256, 512),
    decode(64, 1024),
    ...[32, 8, 4].map((numKvHeads) => decode(16, 1024, { numKvHeads })),
    ...UNEVEN,
    decode(1, 1024),
    decode(1, 8192),
    decode(1, 32768),
    decode(1, 131072),
    SKEW,
    decode(64, 8192, { pageSize: 1 }),
    decode(64, 8192, { numKvHeads: 32 }),
    decode(64, 8192, { kvDtype: "e4m3" }),
    decode(2, 2, { graphCapacity: 2 }),
    decode(6, 1024, { graphCapacity: 6 }),
    decode(6, 1024, { graphCapacity: 128 }),
  ],
};

function nameOf(test: NamedAttentionCase): string {
  const { numQoHeads, numKvHeads, headDim, pageSize, lengths, kvDtype, graphCapacity } = test;
  const params: Record<string, number | string> = {
    ...lengths,
    ...{ hq: numQoHeads, hkv: numKvHeads, d: headDim, page: pageSize, dtype: "bf16" },
  };
  if (kvDtype !== undefined) params.kv_dtype = kvDtype;
  if (graphCapacity !== undefined) params.graph_capacity = graphCapacity;
  return formatCase({ kind: "decode", params });
}

/** Of K and V. */
function bytesOf({ kvLens, numKvHeads, headDim, kvDtype = "bf16" }: NamedAttentionCase): number {
  return kvLens.reduce((a, b) => a + b, 0) * numKvHeads * headDim * 2 * (kvDtype === "bf16" ? 2 : 1);
}

async function measure(
  device: Device,
  peer: TorchPeer | undefined,
  test: NamedAttentionCase,
  kernelTimer: KernelTimer | undefined,
  rounds: number,
  calls: number,
): Promise<ResultRow[]> {
  using prepared = new PreparedAttention(device, test);
  using flush = new L2Flush(device);
  const times: number[] = [];
  const empty: number[] = [];
  const ofKernels: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await sleep(50);
    prepared.run();
    times.push(...await timeCalls(device, () => prepared.run(), calls, () => flush.run()));
    empty.push(...await timeCalls(device, () => {}, calls, () => flush.run()));
  }
  for (let i = 0; kernelTimer !== undefined && i < rounds; i++) {
    await sleep(50);
    ofKernels.push(
      ...await kernelTimer.time(device, () => prepared.run(), calls, () => flush.run(), L2Flush.KERNEL_NAME),
    );
  }
  let roofline: number | null = null;
  if (peer !== undefined) {
    const mebibytes = 4096;
    const bytesOfMicrosecond = mebibytes * 2 ** 20 / (await peer.ask({ op: "read", mebibytes, calls: 10 })).us;
    roofline = round(bytesOf(test) / bytesOfMicrosecond);
  }
  const row = (metric: string, ours: number): ResultRow => ({
    ...{ case: nameOf(test), metric, unit: "us", ours: round(ours), peers: {}, roofline },
  });
  const betweenEvents = row("between events", median(times) - median(empty));
  return ofKernels.length > 0 ? [row("kernel time", median(ofKernels)), betweenEvents] : [betweenEvents];
}

async function main(): Promise<void> {
  const tests = SETS[option("cases") ?? "main"];
  if (tests === undefined) throw new Error(`Pass one of ${Object.keys(SETS).join(", ")} as --cases.`);
  using device = await openDevice({ backend: "cuda" });
  await using peer = flag("no-peer") ? undefined : await TorchPeer.start();
  using kernelTimer = KernelTimer.open();
  const rows: ResultRow[] = [];
  for (const test of tests) {
    const measured = await measure(
      device,
      peer,
      test,
      kernelTimer,
      Number(option("rounds") ?? 4),
      Number(option("calls") ?? 10),
    );
    printRows(measured);
    rows.push(...measured);
  }
  const json = option("json");
  if (json !== undefined) writeResults(json, device, rows);
}

await benchCases(SETS.main.map((test) => ({ name: nameOf(test), test })), import.meta.main);

if (import.meta.main) await main();

/**
 * Decode attention on a GPU: bytes of K and V read a second, beside what a plain sum over memory reads (PyTorch, if it is there). Caches are flushed
 * before each call.
 *
 *   deno run -A bench/decode_bench.ts [--cases main] [--json FILE] [--rounds 4] [--calls 10] [--no-peer]
 *   deno bench -A bench/decode_bench.ts
 */
import { type Device, openDevice } from "../mod.ts";
import { flag, formatCase, option } from "./support/cases.ts";
import { type AttentionCase, PreparedAttention } from "./support/prepared_attention.ts";
import { printRows, type ResultRow, round, writeResults } from "./support/results.ts";
import { hasCuda } from "./support/runtime.ts";
import { L2Flush, median, sleep, timeCalls } from "./support/timer.ts";
import { TorchPeer } from "./support/torch_peer.ts";

function decode(b: number, kv: number, change: Partial<AttentionCase> = {}): AttentionCase {
  return {
    qoLens: Array<number>(b).fill(1),
    kvLens: Array<number>(b).fill(kv),
    numQoHeads: 32,
    numKvHeads: 8,
    headDim: 128,
    causal: true,
    pageSize: 16,
    ...change,
  };
}

const SETS: Readonly<Record<string, readonly AttentionCase[]>> = {
  quick: [decode(64, 8192)],
  main: [
    decode(1, 8192),
    decode(1, 131072),
    decode(16, 4096),
    decode(64, 8192),
    decode(256, 1024),
    decode(64, 8192, { pageSize: 1 }),
    decode(64, 8192, { numKvHeads: 32 }),
  ],
};

function nameOf({ qoLens, kvLens, numQoHeads, numKvHeads, headDim, pageSize }: AttentionCase): string {
  const params = { d: headDim, hq: numQoHeads, hkv: numKvHeads, b: qoLens.length, kv: kvLens[0], page: pageSize };
  return formatCase({ kind: "decode", params: { ...params, dtype: "bf16" } });
}

/** Of K and V in bf16. */
function bytesOf({ kvLens, numKvHeads, headDim }: AttentionCase): number {
  return kvLens.reduce((a, b) => a + b, 0) * numKvHeads * headDim * 2 * 2;
}

async function measure(
  device: Device,
  peer: TorchPeer | undefined,
  test: AttentionCase,
  rounds: number,
  calls: number,
): Promise<ResultRow> {
  using prepared = new PreparedAttention(device, test);
  using flush = new L2Flush(device);
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await sleep(50);
    prepared.run();
    times.push(...await timeCalls(device, () => prepared.run(), calls, () => flush.run()));
  }
  let roofline: number | null = null;
  if (peer !== undefined) {
    const mebibytes = 4096;
    roofline = round(mebibytes * 2 ** 20 / (await peer.ask({ op: "read", mebibytes, calls: 10 })).us / 1e3);
  }
  const ours = round(bytesOf(test) / median(times) / 1e3);
  return { case: nameOf(test), metric: "bandwidth", unit: "GB/s", ours, peers: {}, roofline };
}

async function main(): Promise<void> {
  const tests = SETS[option("cases") ?? "main"];
  if (tests === undefined) throw new Error(`Pass one of ${Object.keys(SETS).join(", ")} as --cases.`);
  using device = await openDevice({ backend: "cuda" });
  await using peer = flag("no-peer") ? undefined : await TorchPeer.start();
  const rows: ResultRow[] = [];
  for (const test of tests) {
    const row = await measure(device, peer, test, Number(option("rounds") ?? 4), Number(option("calls") ?? 10));
    printRows([row]);
    rows.push(row);
  }
  const json = option("json");
  if (json !== undefined) writeResults(json, device, rows);
}

const ignore = import.meta.main || !await hasCuda();
for (const test of SETS.main) {
  Deno.bench({ name: nameOf(test), ignore }, async (bench) => {
    using device = await openDevice({ backend: "cuda" });
    using prepared = new PreparedAttention(device, test);
    prepared.run();
    await device.synchronize();
    bench.start();
    prepared.run();
    await device.synchronize();
    bench.end();
  });
}

if (import.meta.main) await main();

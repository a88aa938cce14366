/**
 * Prefill on a GPU: TFLOP/s, the share of the device's own matrix-product rate, and cuDNN (through PyTorch, if it is there) taking turns.
 *
 *   deno run -A bench/prefill_bench.ts [--cases main|pages|shapes|uneven|fp8|all] [--json FILE] [--rounds 4] [--calls 6]
 *   deno bench -A bench/prefill_bench.ts
 */
import { type Device, openDevice } from "../mod.ts";
import { flag, formatCase, option } from "./support/cases.ts";
import { type NamedAttentionCase, UNIFORM, ZIPF } from "./support/lengths.ts";
import { benchCases } from "./support/deno_bench.ts";
import { PreparedAttention } from "./support/prepared_attention.ts";
import { printRows, type ResultRow, round, writeResults } from "./support/results.ts";
import { median, sleep, timeCalls } from "./support/timer.ts";
import { TorchPeer } from "./support/torch_peer.ts";

function dense(b: number, l: number, change: Partial<NamedAttentionCase> = {}): NamedAttentionCase {
  const lens = Array<number>(b).fill(l);
  return {
    qoLens: lens,
    kvLens: lens,
    numQoHeads: 32,
    numKvHeads: 8,
    headDim: 128,
    causal: true,
    pageSize: 0,
    lengths: { b, l },
    ...change,
  };
}

function uneven(name: string, lens: readonly number[], numKvHeads: number): NamedAttentionCase {
  return {
    ...dense(16, 0, { pageSize: 16, numKvHeads }),
    qoLens: lens,
    kvLens: lens,
    lengths: { b: lens.length, lens: name },
  };
}

function append(b: number, qoLen: number, kvLen: number): NamedAttentionCase {
  return {
    ...dense(b, 0, { pageSize: 16 }),
    qoLens: Array(b).fill(qoLen),
    kvLens: Array(b).fill(kvLen),
    lengths: { b, l: qoLen, kv: kvLen },
  };
}

/** q, K and V in e4m3, and the main case in bf16 in the same run. */
function fp8Cases(): NamedAttentionCase[] {
  const of = (b: number, l: number, change: Partial<NamedAttentionCase> = {}) =>
    dense(b, l, { pageSize: 16, dtype: "e4m3", ...change });
  return [
    dense(1, 16384, { pageSize: 16 }),
    of(1, 16384),
    of(1, 16384, { pageSize: 0 }),
    of(1, 16384, { pageSize: 1 }),
    of(1, 16384, { causal: false }),
    of(16, 1024),
    of(4, 4096),
    of(1, 32768),
    of(1, 16384, { numKvHeads: 32, headDim: 64 }),
    of(1, 16384, { numQoHeads: 16, numKvHeads: 4, headDim: 256 }),
  ];
}

const SETS: Readonly<Record<string, readonly NamedAttentionCase[]>> = {
  quick: [dense(16, 1024), dense(1, 16384), dense(1, 16384, { pageSize: 16 }), dense(1, 16384, { pageSize: 1 })],
  one: [dense(1, 16384)],
  short: [dense(16, 1024)],
  main: [dense(16, 1024), dense(8, 2048), dense(4, 4096), dense(2, 8192), dense(1, 16384), dense(1, 32768)],
  pages: [[16, 1024], [4, 4096], [1, 16384]].flatMap(([b, l]) =>
    [0, 64, 16, 1].map((pageSize) => dense(b, l, { pageSize }))
  ),
  shapes: [
    dense(1, 16384, { causal: false }),
    dense(1, 16384, { numKvHeads: 32, headDim: 64 }),
    dense(1, 16384, { numKvHeads: 32, headDim: 64, causal: false }),
    dense(1, 16384, { numQoHeads: 16, numKvHeads: 4, headDim: 256 }),
    dense(1, 16384, { numQoHeads: 16, numKvHeads: 4, headDim: 256, causal: false }),
    dense(1, 16384, { windowLeft: 1023 }),
  ],
  fp8: fp8Cases(),
  uneven: [uneven("uniform", UNIFORM, 8), uneven("zipf", ZIPF, 8), append(1, 1024, 32768), append(64, 16, 8192)],
};

/** Multiply-adds times two of the visible (query, key) pairs. */
function flopsOf({ qoLens, kvLens, numQoHeads, headDim, causal, windowLeft }: NamedAttentionCase): number {
  let pairs = 0;
  qoLens.forEach((qoLen, r) => {
    const kvLen = kvLens[r];
    if (!causal) pairs += qoLen * kvLen;
    else if (windowLeft === undefined) pairs += qoLen * kvLen - qoLen * qoLen / 2;
    else for (let i = 0; i < qoLen; i++) pairs += Math.min(kvLen - qoLen + i + 1, windowLeft + 1);
  });
  return 4 * pairs * numQoHeads * headDim;
}

function nameOf(
  { causal, headDim, numQoHeads, numKvHeads, lengths, pageSize, windowLeft, dtype = "bf16" }: NamedAttentionCase,
): string {
  const window: Record<string, number> = windowLeft === undefined ? {} : { window: windowLeft + 1 };
  return formatCase({
    kind: "prefill",
    params: {
      causal: causal ? 1 : 0,
      d: headDim,
      hq: numQoHeads,
      hkv: numKvHeads,
      ...lengths,
      ...window,
      page: pageSize,
      dtype,
    },
  });
}

async function measure(
  device: Device,
  peer: TorchPeer | undefined,
  test: NamedAttentionCase,
  rounds: number,
  calls: number,
): Promise<ResultRow> {
  using prepared = new PreparedAttention(device, test);
  const { qoLens, numQoHeads, numKvHeads, headDim, causal, windowLeft } = test;
  const isFp8 = test.dtype === "e4m3"; // The peer is asked for 16 bits only.
  const isUniform = !isFp8 && qoLens.every((l, r) => l === qoLens[0] && l === test.kvLens[r]) &&
    windowLeft === undefined;
  const ours: number[] = [];
  const cudnn: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await sleep(100);
    prepared.run();
    ours.push(...await timeCalls(device, () => prepared.run(), calls));
    if (peer === undefined || !isUniform) continue;
    await sleep(100);
    const answer = await peer.ask({
      op: "prefill",
      b: qoLens.length,
      l: qoLens[0],
      hq: numQoHeads,
      hkv: numKvHeads,
      d: headDim,
      causal,
      calls,
    });
    if (answer.error === undefined) cudnn.push(answer.us);
  }
  let roofline: number | null = null;
  if (peer !== undefined && !isFp8) {
    await sleep(100);
    const { us } = await peer.ask({ op: "matmul", n: 8192, calls: 4 });
    roofline = round(2 * 8192 ** 3 / us / 1e6);
  }
  const tflops = (us: number): number => round(flopsOf(test) / us / 1e6);
  const peers: Record<string, number> = cudnn.length > 0 ? { cudnn: tflops(median(cudnn)) } : {};
  return { case: nameOf(test), metric: "throughput", unit: "TFLOP/s", ours: tflops(median(ours)), peers, roofline };
}

async function main(): Promise<void> {
  const set = option("cases") ?? "main";
  const tests = set === "all" ? Object.values(SETS).flat() : SETS[set];
  if (tests === undefined) {
    throw new Error(`There are no cases "${set}". Pass one of ${Object.keys(SETS).join(", ")}, all.`);
  }
  using device = await openDevice({ backend: "cuda" });
  await using peer = flag("no-peer") ? undefined : await TorchPeer.start();
  const rows: ResultRow[] = [];
  for (const test of tests) {
    const row = await measure(device, peer, test, Number(option("rounds") ?? 4), Number(option("calls") ?? 6));
    printRows([row]);
    rows.push(row);
  }
  const json = option("json");
  if (json !== undefined) writeResults(json, device, rows);
}

await benchCases(SETS.main.map((test) => ({ name: nameOf(test), test })), import.meta.main);

if (import.meta.main) await main();

/**
 * Mixed batches on a GPU: decoding requests and prompts, or chunks of prompts, in one call. Microseconds from the first launch to the end of the last, and
 * beside it what the decodes alone take, the prompts alone, and both in turn ("serial"); and the call replayed from a graph. Caches are flushed
 * before each. Timed by pairs of events, less what a pair with nothing between reads. "sms" says how many SMs the plan gives to the prompts.
 *
 *   deno run -A bench/mixed_bench.ts [--cases main|quick] [--json FILE] [--rounds 4] [--calls 10]
 *   deno bench -A bench/mixed_bench.ts
 */
import { capture, type Device, openDevice } from "../mod.ts";
import { formatCase, option } from "./support/cases.ts";
import type { NamedAttentionCase } from "./support/lengths.ts";
import { benchCases } from "./support/deno_bench.ts";
import { PreparedAttention } from "./support/prepared_attention.ts";
import { printRows, type ResultRow, round, writeResults } from "./support/results.ts";
import { L2Flush, median, sleep, timeCalls } from "./support/timer.ts";

/** `count` requests of the same lengths. */
interface Part {
  readonly count: number;
  readonly qoLen: number;
  readonly kvLen: number;
}

interface MixedCase {
  readonly decodes: Part;
  readonly prompts: Part;
  /** Words for the case's name. */
  readonly lengths: Readonly<Record<string, number>>;
}

function mixed(decodes: number, kv: number, prompts: number, chunk: number, chunkKv: number): MixedCase {
  return {
    decodes: { count: decodes, qoLen: 1, kvLen: kv },
    prompts: { count: prompts, qoLen: chunk, kvLen: chunkKv },
    lengths: { decodes, kv, ...prompts > 1 ? { prompts } : {}, chunk, chunk_kv: chunkKv },
  };
}

const SETS: Readonly<Record<string, readonly MixedCase[]>> = {
  quick: [mixed(128, 8192, 1, 4096, 8192)],
  main: [
    mixed(128, 8192, 1, 4096, 8192),
    mixed(64, 2048, 4, 1024, 1024),
    mixed(32, 4096, 1, 8192, 8192),
    mixed(128, 1024, 1, 512, 4096),
  ],
};

function batchOf(parts: readonly Part[], lengths: MixedCase["lengths"]): NamedAttentionCase {
  return {
    qoLens: parts.flatMap(({ count, qoLen }) => Array<number>(count).fill(qoLen)),
    kvLens: parts.flatMap(({ count, kvLen }) => Array<number>(count).fill(kvLen)),
    numQoHeads: 32,
    numKvHeads: 8,
    headDim: 128,
    causal: true,
    pageSize: 16,
    lengths,
  };
}

function nameOf({ numQoHeads, numKvHeads, headDim, pageSize, lengths }: NamedAttentionCase): string {
  const params = { ...lengths, hq: numQoHeads, hkv: numKvHeads, d: headDim, page: pageSize, dtype: "bf16" };
  return formatCase({ kind: "mixed", params });
}

async function measure(device: Device, test: MixedCase, rounds: number, calls: number): Promise<ResultRow[]> {
  const { decodes, prompts, lengths } = test;
  using all = new PreparedAttention(device, batchOf([decodes, prompts], lengths));
  using decode = new PreparedAttention(device, batchOf([decodes], lengths));
  using prefill = new PreparedAttention(device, batchOf([prompts], lengths));
  using flush = new L2Flush(device);
  all.run();
  using graph = capture(device.stream, () => all.run());
  const runs: Readonly<Record<string, () => void>> = {
    time: () => all.run(),
    graph: () => graph.launch(),
    decode: () => decode.run(),
    prefill: () => prefill.run(),
    empty: () => {},
  };
  const times: Record<string, number[]> = {};
  for (let i = 0; i < rounds; i++) {
    for (const [metric, run] of Object.entries(runs)) {
      await sleep(50);
      run();
      (times[metric] ??= []).push(...await timeCalls(device, run, calls, () => flush.run()));
    }
  }
  const of = (metric: string): number => median(times[metric]) - median(times.empty);
  const name = nameOf(batchOf([decodes, prompts], lengths));
  const row = (metric: string, unit: string, value: number): ResultRow => (
    { case: name, metric, unit, ours: round(value), peers: {}, roofline: null }
  );
  return [
    row("time", "us", of("time")),
    row("graph", "us", of("graph")),
    row("decode", "us", of("decode")),
    row("prefill", "us", of("prefill")),
    row("serial", "us", of("decode") + of("prefill")),
    row("sms", "SMs", all.plan.splitsSms ? all.plan.numPrefillCtas : device.facts.numProcessors),
  ];
}

async function main(): Promise<void> {
  const tests = SETS[option("cases") ?? "main"];
  if (tests === undefined) throw new Error(`Pass one of ${Object.keys(SETS).join(", ")} as --cases.`);
  using device = await openDevice({ backend: "cuda" });
  const rows: ResultRow[] = [];
  for (const test of tests) {
    const some = await measure(device, test, Number(option("rounds") ?? 4), Number(option("calls") ?? 10));
    printRows(some);
    rows.push(...some);
  }
  const json = option("json");
  if (json !== undefined) writeResults(json, device, rows);
}

const batches = SETS.main.map(({ decodes, prompts, lengths }) => batchOf([decodes, prompts], lengths));
await benchCases(batches.map((test) => ({ name: nameOf(test), test })), import.meta.main);

if (import.meta.main) await main();

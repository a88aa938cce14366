/**
 * One step of a model of SmolLM2-135M's shape with random weights, bf16: how long it takes, how long JavaScript needs to enqueue it, and what each
 * kind of operation takes of it.
 *
 *   deno run -A bench/cpu/step_bench.ts [--threads 2] [--tokens 1,8,512] [--length 256] [--steps 20] [--json FILE]
 */
import {
  argmax,
  BatchAttention,
  type Device,
  embedding,
  linear,
  openDevice,
  PagedKvCache,
  rmsNorm,
  rope,
  ropeFrequencies,
  siluAndMul,
  type Tensor,
} from "../../mod.ts";
import { formatCase, option } from "../support/cases.ts";
import { randomTensor } from "../support/random_tensor.ts";
import { printRows, type ResultRow, writeResults } from "../support/results.ts";

const LAYERS = 30;
const DIM = 576;
const HEADS = 9;
const KV_HEADS = 3;
const HEAD_DIM = 64;
const FFN = 1536;
const VOCAB = 49152;
const QKV = (HEADS + 2 * KV_HEADS) * HEAD_DIM;

type Enqueue = (kind: string, run: () => void) => void;

/** A model and its cache, ready for steps of `numTokens` tokens: one prompt, or that many sequences of a token each. */
class Step implements Disposable {
  readonly #resources = new DisposableStack();
  readonly #enqueue: (enqueue: Enqueue) => void;

  constructor(device: Device, numTokens: number, isPrompt: boolean, length: number) {
    const use = <T extends Disposable>(value: T): T => this.#resources.use(value);
    const weight = (outputs: number, inputs: number, seed: number): Tensor =>
      use(randomTensor(device, [outputs, inputs], "bf16", seed));
    const made = (...shape: number[]): Tensor => use(device.tensor(shape, "bf16"));
    const layers = Array.from({ length: LAYERS }, (_, i) => ({
      qkv: weight(QKV, DIM, 4 * i),
      output: weight(DIM, HEADS * HEAD_DIM, 4 * i + 1),
      gateUp: weight(2 * FFN, DIM, 4 * i + 2),
      down: weight(DIM, FFN, 4 * i + 3),
    }));
    const table = weight(VOCAB, DIM, 1000);
    const norm = use(randomTensor(device, [DIM], "bf16", 1001));
    const invFreq = use(device.fromArray(ropeFrequencies({ rotaryDim: HEAD_DIM }), "f32"));
    const [residual, normed, added] = [made(numTokens, DIM), made(numTokens, DIM), made(numTokens, DIM)];
    const [qkv, attended] = [made(numTokens, QKV), made(numTokens, HEADS, HEAD_DIM)];
    const [gateUp, activated] = [made(numTokens, 2 * FFN), made(numTokens, FFN)];
    const heads = (count: number, first: number): Tensor =>
      qkv.view([numTokens, count, HEAD_DIM], [QKV, HEAD_DIM, 1], first * HEAD_DIM);
    const [q, k, v] = [heads(HEADS, 0), heads(KV_HEADS, HEADS), heads(KV_HEADS, HEADS + KV_HEADS)];
    const numLogits = isPrompt ? 1 : numTokens;
    const last = normed.slice(numTokens - numLogits, numTokens);
    const logits = use(device.tensor([numLogits, VOCAB], "f32"));
    const chosen = use(device.tensor([numLogits], "i32"));
    const ids = use(device.fromArray(Int32Array.from({ length: numTokens }, (_, i) => i * 37 % VOCAB), "i32"));
    const pageSize = 16;
    const numSequences = isPrompt ? 1 : numTokens;
    const cache = use(
      new PagedKvCache(device, {
        numPages: numSequences * Math.ceil((length + numTokens) / pageSize + 1),
        pageSize,
        numKvHeads: KV_HEADS,
        headDim: HEAD_DIM,
        numLayers: LAYERS,
        dtype: "bf16",
      }),
    );
    const sequences = Array.from({ length: numSequences }, () => cache.createSequence());
    if (!isPrompt) cache.extend(sequences, new Int32Array(numSequences).fill(length - 1));
    const slots = cache.extend(sequences, new Int32Array(numSequences).fill(numTokens / numSequences));
    const attention = use(
      new BatchAttention(device, {
        numQoHeads: HEADS,
        numKvHeads: KV_HEADS,
        headDim: HEAD_DIM,
        dtype: "bf16",
        causal: true,
      }),
    );
    attention.plan({ qoIndptr: slots.qoIndptr, pages: cache.pageTable(sequences) });
    const eps = 1e-5;
    this.#enqueue = (op) => {
      op("embedding", () => embedding({ ids, table, out: residual }));
      op("rms_norm", () => rmsNorm({ x: residual, weight: norm, eps, out: normed }));
      layers.forEach((layer, i) => {
        op("linear", () => linear({ x: normed, weight: layer.qkv, out: qkv }));
        op("rope", () => rope({ x: q, positions: slots.positions, invFreq, interleaved: true }));
        op("kv_append", () => cache.write({ k, v, slots, layer: i, rope: { invFreq, interleaved: true } }));
        op("attention", () => attention.run({ q, cache, layer: i, out: attended }));
        op(
          "linear",
          () => linear({ x: attended.reshape([numTokens, HEADS * HEAD_DIM]), weight: layer.output, out: added }),
        );
        op("rms_norm", () => rmsNorm({ x: added, residual, weight: norm, eps, out: normed }));
        op("linear", () => linear({ x: normed, weight: layer.gateUp, out: gateUp }));
        op("silu_and_mul", () => siluAndMul({ x: gateUp, out: activated }));
        op("linear", () => linear({ x: activated, weight: layer.down, out: added }));
        op("rms_norm", () => rmsNorm({ x: added, residual, weight: norm, eps, out: normed }));
      });
      op("logits", () => linear({ x: last, weight: table, out: logits }));
      op("argmax", () => argmax({ logits, out: chosen }));
    };
  }

  /** Enqueues the step's operations through `enqueue`. */
  run(enqueue: Enqueue): void {
    this.#enqueue(enqueue);
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

const threads = Number(option("threads") ?? navigator.hardwareConcurrency);
const tokens = (option("tokens") ?? "1,8,512").split(",").map(Number);
const length = Number(option("length") ?? 256);
const steps = Number(option("steps") ?? 20);
using device = await openDevice({ backend: "cpu", numThreads: threads });
const rows: ResultRow[] = [];

for (const numTokens of tokens) {
  using step = new Step(device, numTokens, numTokens > 64, length);
  let [best, host] = [Infinity, Infinity];
  for (let i = 0; i < steps; i++) {
    await device.synchronize();
    const [start, end] = [device.createEvent(), device.createEvent()];
    start.record();
    const before = performance.now();
    step.run((_, run) => run());
    host = Math.min(host, performance.now() - before);
    end.record();
    await device.synchronize();
    best = Math.min(best, start.millisecondsUntil(end));
    start.dispose();
    end.dispose();
  }
  const totals = new Map<string, number>();
  for (let i = 0; i < Math.min(steps, 5); i++) {
    const marks: [string, ReturnType<Device["createEvent"]>][] = [];
    const mark = (kind: string): void => {
      const event = device.createEvent();
      event.record();
      marks.push([kind, event]);
    };
    mark("");
    step.run((kind, run) => {
      run();
      mark(kind);
    });
    await device.synchronize();
    const times = new Map<string, number>();
    for (let j = 1; j < marks.length; j++) {
      const [kind, event] = marks[j];
      times.set(kind, (times.get(kind) ?? 0) + marks[j - 1][1].millisecondsUntil(event));
    }
    for (const [, event] of marks) event.dispose();
    for (const [kind, time] of times) totals.set(kind, Math.min(totals.get(kind) ?? Infinity, time));
  }
  const params = {
    model: "135m",
    tokens: numTokens,
    length: numTokens > 64 ? numTokens : length,
    dtype: "bf16",
    threads,
  };
  const row = (metric: string, milliseconds: number): ResultRow => ({
    case: formatCase({ kind: "step", params }),
    metric,
    unit: "us",
    ours: 1000 * milliseconds,
    peers: {},
    roofline: null,
  });
  const mine = [row("step", best), row("enqueue", host), ...[...totals].map(([kind, time]) => row(kind, time))];
  rows.push(...mine);
  printRows(mine);
  console.log(`  ${(1000 * numTokens / best).toFixed(0)} tokens/s`);
}
const path = option("json");
if (path !== undefined) writeResults(path, device, rows);

/**
 * The operations around attention at serving shapes: microseconds, and GB/s beside those of a plain copy, or TFLOP/s. Each result
 * is checked against a definition in f64 before it is timed. Operands are cold in L2, but for logits, which the product before
 * them has just written. Times include what lies between two events, about a microsecond on a GPU.
 *
 *   deno run -A bench/cuda/ops_bench.ts [--backend cuda|cpu] [--ops rms_norm,linear,...] [--calls 20] [--json FILE]
 *
 * On the CPU sizes are a 64th, to try the script. FLASHPAGE_CUBLASLT=off measures the library's own matrix products.
 */
import {
  argmax,
  type Device,
  type DType,
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
import { DTYPE_BYTES, DTYPE_CODE } from "../../src/device/dtype.ts";
import { SampleArgs, SAMPLING_ROW } from "../../src/ffi/structs.gen.ts";
import { formatCase, option } from "../support/cases.ts";
import { randomTensor } from "../support/random_tensor.ts";
import { printRows, type ResultRow, round, writeResults } from "../support/results.ts";
import { L2Flush, median, sleep, timeCalls } from "../support/timer.ts";

/** One operation with its tensors made. */
interface Prepared {
  run(): void;
  /** Throws if the result of the last run is wrong. */
  check(): Promise<void>;
  /** Bytes that must be read and written; or multiply-adds times two. */
  readonly work: { bytes: number } | { flops: number };
  /** Operands may be in L2. */
  readonly warm?: boolean;
}

interface OpCase {
  readonly kind: string;
  readonly params: Readonly<Record<string, number | string>>;
  prepare(device: Device, use: <T extends Disposable>(value: T) => T): Prepared | Promise<Prepared>;
}

const bf16 = DTYPE_BYTES.bf16;

/** A row of a tensor, as numbers. */
async function rowOf(tensor: Tensor, index: number): Promise<Float32Array> {
  return Float32Array.from(await tensor.slice(index, index + 1).read());
}

function expectClose(what: string, got: ArrayLike<number>, want: ArrayLike<number>, relative: number): void {
  let scale = 0;
  for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i]));
  for (let i = 0; i < want.length; i++) {
    const tolerance = relative * (Math.abs(want[i]) + 0.05 * scale);
    if (!(Math.abs(got[i] - want[i]) <= tolerance)) {
      throw new Error(`${what}: element ${i} is ${got[i]}, and should be ${want[i]}.`);
    }
  }
}

function rmsNormCase(rows: number, dim: number, hasResidual: boolean): OpCase {
  return {
    kind: "rms_norm",
    params: { rows, dim, residual: hasResidual ? 1 : 0, dtype: "bf16" },
    prepare(device, use) {
      const x = use(randomTensor(device, [rows, dim], "bf16", 1));
      const weight = use(randomTensor(device, [dim], "bf16", 2));
      const residual = hasResidual ? use(randomTensor(device, [rows, dim], "bf16", 3)) : undefined;
      const out = use(device.tensor([rows, dim], "bf16"));
      return {
        run: () => rmsNorm({ x, weight, residual, out, eps: 1e-5 }),
        async check() {
          // Of the residual as the last run left it.
          const source = await rowOf(residual ?? x, rows - 1);
          const weights = await weight.read();
          const mean = source.reduce((sum, value) => sum + value * value, 0) / dim;
          const want = Array.from(source, (value, i) => value / Math.sqrt(mean + 1e-5) * weights[i]);
          expectClose("rms_norm", await rowOf(out, rows - 1), want, 0.01);
        },
        work: { bytes: rows * dim * bf16 * (hasResidual ? 4 : 2) },
      };
    },
  };
}

function siluCase(rows: number, dim: number): OpCase {
  return {
    kind: "silu_and_mul",
    params: { rows, dim, dtype: "bf16" },
    prepare(device, use) {
      const x = use(randomTensor(device, [rows, 2 * dim], "bf16", 1));
      const out = use(device.tensor([rows, dim], "bf16"));
      return {
        run: () => siluAndMul({ x, out }),
        async check() {
          const row = await rowOf(x, rows - 1);
          const want = Array.from({ length: dim }, (_, i) => row[i] / (1 + Math.exp(-row[i])) * row[dim + i]);
          expectClose("silu_and_mul", await rowOf(out, rows - 1), want, 0.01);
        },
        work: { bytes: rows * dim * bf16 * 3 },
      };
    },
  };
}

function ropeCase(tokens: number, heads: number): OpCase {
  const dim = 128;
  return {
    kind: "rope",
    params: { tokens, heads, d: dim, dtype: "bf16" },
    prepare(device, use) {
      const x = use(randomTensor(device, [tokens, heads, dim], "bf16", 1));
      const positions = use(device.fromArray(Int32Array.from({ length: tokens }, (_, i) => 100000 + i), "i32"));
      const frequencies = ropeFrequencies({ rotaryDim: dim, theta: 500000 });
      const invFreq = use(device.fromArray(frequencies, "f32"));
      return {
        run: () => rope({ x, positions, invFreq }),
        async check() {
          const before = await rowOf(x, tokens - 1);
          rope({ x, positions, invFreq });
          const want = Array.from({ length: dim }, (_, i) => {
            const pair = i % (dim / 2);
            const angle = (100000 + tokens - 1) * frequencies[pair];
            const other = i < dim / 2 ? -before[i + dim / 2] : before[i - dim / 2];
            return before[i] * Math.cos(angle) + other * Math.sin(angle);
          });
          expectClose("rope", await rowOf(x, tokens - 1), want, 0.02);
        },
        work: { bytes: tokens * heads * dim * bf16 * 2 },
      };
    },
  };
}

function embeddingCase(tokens: number, dim: number): OpCase {
  const vocab = 32000;
  return {
    kind: "embedding",
    params: { tokens, dim, dtype: "bf16" },
    prepare(device, use) {
      const table = use(randomTensor(device, [vocab, dim], "bf16", 1));
      const ids = use(device.fromArray(Int32Array.from({ length: tokens }, (_, i) => i * 7919 % vocab), "i32"));
      const out = use(device.tensor([tokens, dim], "bf16"));
      return {
        run: () => embedding({ table, ids, out }),
        async check() {
          const id = (tokens - 1) * 7919 % vocab;
          const want = await rowOf(table, id);
          expectClose("embedding", await rowOf(out, tokens - 1), want, 0);
        },
        work: { bytes: tokens * dim * bf16 * 2 },
      };
    },
  };
}

function appendCase(tokens: number, rotates: boolean): OpCase {
  const [heads, dim, pageSize] = [8, 128, 16];
  return {
    kind: "kv_append",
    params: { tokens, hkv: heads, d: dim, page: pageSize, rope: rotates ? 1 : 0, dtype: "bf16" },
    prepare(device, use) {
      const numPages = Math.ceil(tokens / pageSize);
      const cache = use(
        new PagedKvCache(device, { numPages, pageSize, numKvHeads: heads, headDim: dim, dtype: "bf16" }),
      );
      const k = use(randomTensor(device, [tokens, heads, dim], "bf16", 1));
      const v = use(randomTensor(device, [tokens, heads, dim], "bf16", 2));
      const invFreq = use(device.fromArray(ropeFrequencies({ rotaryDim: dim }), "f32"));
      const slots = cache.extend([cache.createSequence()], [tokens]);
      return {
        run: () => cache.write({ k, v, slots, rope: rotates ? { invFreq } : undefined }),
        async check() {
          const last = tokens - 1;
          const slot = (await rowOf(slots.slots, last))[0];
          const page = Math.floor(slot / pageSize);
          const { v: values } = cache.layer(0);
          const stored = await values.slice(page, page + 1).reshape([pageSize, heads * dim])
            .slice(slot % pageSize, slot % pageSize + 1).read();
          expectClose("kv_append", stored, await rowOf(v, last), 0);
        },
        work: { bytes: tokens * heads * dim * bf16 * 4 },
      };
    },
  };
}

function linearCase(rows: number, inDim: number, outDim: number): OpCase {
  const engine: Record<string, string> = Deno.env.get("FLASHPAGE_CUBLASLT") === "off" ? { cublaslt: "off" } : {};
  return {
    kind: "linear",
    params: { rows, k: inDim, n: outDim, dtype: "bf16", ...engine },
    prepare(device, use) {
      const x = use(randomTensor(device, [rows, inDim], "bf16", 1));
      const weight = use(randomTensor(device, [outDim, inDim], "bf16", 2));
      const out = use(device.tensor([rows, outDim], "bf16"));
      const bytes = bf16 * (rows * inDim + outDim * inDim + rows * outDim);
      return {
        run: () => linear({ x, weight, out }),
        async check() {
          const row = await rowOf(x, rows - 1);
          const first = outDim - 8;
          const weights = await weight.slice(first, outDim).read();
          const want = Array.from(
            { length: 8 },
            (_, n) => row.reduce((sum, v, k) => sum + v * weights[n * inDim + k], 0),
          );
          const got = await rowOf(out, rows - 1);
          expectClose("linear", got.subarray(first), want, 0.02);
        },
        work: rows >= 256 ? { flops: 2 * rows * inDim * outDim } : { bytes },
      };
    },
  };
}

function argmaxCase(rows: number, vocab: number, dtype: DType): OpCase {
  return {
    kind: "argmax",
    params: { b: rows, vocab, dtype },
    prepare(device, use) {
      const logits = use(randomTensor(device, [rows, vocab], dtype, 1));
      const out = use(device.tensor([rows], "i32"));
      return {
        run: () => argmax({ logits, out }),
        async check() {
          const row = await rowOf(logits, rows - 1);
          let best = 0;
          row.forEach((value, i) => best = value > row[best] ? i : best);
          expectClose("argmax", await rowOf(out, rows - 1), [best], 0);
        },
        work: { bytes: rows * vocab * DTYPE_BYTES[dtype] },
        warm: true,
      };
    },
  };
}

/** `spread`: standard deviation of the logits; of 1, most tokens are nearly as probable as the best, of 4 few matter. */
function sampleCase(rows: number, vocab: number, dtype: DType, topK: number, topP: number, spread: number): OpCase {
  return {
    kind: "sample",
    params: { b: rows, vocab, dtype, top_k: topK, top_p: topP, spread },
    prepare(device, use) {
      const unit = use(randomTensor(device, [rows, vocab], dtype, 1));
      // A temperature below 1 is what spreads the logits.
      const words = SAMPLING_ROW.words;
      const packed = new Int32Array(words * rows);
      const floats = new Float32Array(packed.buffer);
      for (let i = 0; i < rows; i++) {
        floats[i * words + SAMPLING_ROW.temperature] = 1 / spread;
        packed[i * words + SAMPLING_ROW.topK] = topK;
        floats[i * words + SAMPLING_ROW.topP] = topP;
        packed[i * words + SAMPLING_ROW.seedLo] = i;
      }
      const params = use(device.fromArray(packed, "i32"));
      const out = use(device.tensor([rows], "i32"));
      const args = new SampleArgs();
      args.dtype = DTYPE_CODE[dtype];
      args.numRows = rows;
      args.vocabSize = vocab;
      args.logits = unit.address;
      args.logitsRowStride = vocab;
      args.rows = params.address;
      args.out = out.address;
      const { native, stream } = device;
      return {
        // Not sample(): that uploads the parameters each time.
        run: () => native.check(native.fp_sample(stream.handle, args.bytes), "sample"),
        async check() {
          const row = await rowOf(unit, rows - 1);
          const [token] = await rowOf(out, rows - 1);
          const isKept = keptTokens(Float32Array.from(row, (value) => value * spread), topK, topP);
          if (!(token >= 0 && token < vocab && isKept(token))) {
            throw new Error(`sample: token ${token} of logit ${row[token]} is not among those kept.`);
          }
        },
        work: { bytes: rows * vocab * DTYPE_BYTES[dtype] },
        warm: true,
      };
    },
  };
}

/** Which tokens top-k and top-p leave; those at the very edge of top-p count as left. */
function keptTokens(logits: Float32Array, topK: number, topP: number): (token: number) => boolean {
  const sorted = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
  const best = logits[sorted[0]];
  const kept = topK > 0 ? sorted.slice(0, topK) : sorted;
  const weights = kept.map((token) => Math.exp(logits[token] - best));
  const total = weights.reduce((a, b) => a + b, 0);
  let mass = 0;
  const count = topP >= 1
    ? kept.length
    : kept.findIndex((_, i) => (mass += weights[i]) > topP * total * (1 + 1e-5)) + 1;
  const set = new Set(kept.slice(0, count === 0 ? kept.length : count));
  return (token) => set.has(token);
}

/** `shrink`: what sizes are divided by. */
function casesOf(shrink: number): OpCase[] {
  const of = (size: number): number => Math.max(1, Math.ceil(size / shrink));
  const vocab = 128256;
  const width = Math.max(512, of(4096));
  const cases = [
    rmsNormCase(of(4096), 4096, false),
    rmsNormCase(of(4096), 4096, true),
    rmsNormCase(of(64), 4096, true),
    rmsNormCase(1, 4096, true),
    siluCase(of(4096), 14336),
    siluCase(of(64), 14336),
    ropeCase(of(4096), 32),
    ropeCase(of(64), 32),
    embeddingCase(of(4096), 4096),
    appendCase(of(5000), false),
    appendCase(of(5000), true),
    appendCase(of(64), true),
    ...[1, 8, 16, 32, 64, 512, 4096].map((rows) => linearCase(of(rows), width, width)),
  ];
  for (const rows of new Set([1, 64, 256].map(of))) {
    cases.push(
      argmaxCase(rows, vocab, "bf16"),
      sampleCase(rows, vocab, "bf16", 0, 1, 4),
      sampleCase(rows, vocab, "bf16", 50, 1, 4),
      sampleCase(rows, vocab, "bf16", 0, 0.9, 4),
      sampleCase(rows, vocab, "bf16", 0, 0.9, 1),
      sampleCase(rows, vocab, "f32", 50, 0.9, 4),
      sampleCase(rows, vocab, "f32", 0, 0.9, 1),
    );
  }
  // Small sizes meet when shrunk.
  return [...new Map(cases.map((test) => [formatCase(test), test])).values()];
}

/** GB/s of a copy, counting what is read and what is written. */
async function copyBandwidth(device: Device): Promise<number> {
  const elements = device.kind === "cuda" ? 1 << 29 : 1 << 25;
  using source = device.tensor([elements], "bf16");
  using target = device.tensor([elements], "bf16");
  source.fillBytes(0);
  target.copyFrom(source);
  const times = await timeCalls(device, () => target.copyFrom(source), 5);
  return 2 * source.byteLength / Math.min(...times) / 1000;
}

async function measure(
  device: Device,
  flush: L2Flush,
  test: OpCase,
  bandwidth: number,
  calls: number,
): Promise<ResultRow[]> {
  using stack = new DisposableStack();
  const prepared = await test.prepare(device, (value) => stack.use(value));
  prepared.run();
  await prepared.check();
  await sleep(20);
  const before = prepared.warm ? undefined : () => flush.run();
  const us = median(await timeCalls(device, () => prepared.run(), calls, before));
  const row = { case: formatCase(test), peers: {}, roofline: null };
  const time = { ...row, metric: "time", unit: "us", ours: round(us) };
  if ("flops" in prepared.work) {
    return [time, { ...row, metric: "throughput", unit: "TFLOP/s", ours: round(prepared.work.flops / us / 1e6) }];
  }
  const ours = round(prepared.work.bytes / us / 1000);
  return [time, { ...row, metric: "bandwidth", unit: "GB/s", ours, roofline: round(bandwidth) }];
}

async function main(): Promise<void> {
  const backend = option("backend") ?? "auto";
  if (backend !== "auto" && backend !== "cuda" && backend !== "cpu") {
    throw new Error(`There is no backend "${backend}". Pass cuda or cpu.`);
  }
  using device = await openDevice({ backend });
  using flush = new L2Flush(device);
  const wanted = option("ops")?.split(",");
  const tests = casesOf(device.kind === "cuda" ? 1 : 64).filter(({ kind }) => wanted?.includes(kind) ?? true);
  if (tests.length === 0) throw new Error(`There are no operations "${wanted}".`);
  const bandwidth = await copyBandwidth(device);
  console.log(`${device.name}: a copy moves ${round(bandwidth)} GB/s.`);
  const rows: ResultRow[] = [];
  for (const test of tests) {
    const measured = await measure(device, flush, test, bandwidth, Number(option("calls") ?? 20));
    printRows(measured);
    rows.push(...measured);
  }
  const json = option("json");
  if (json !== undefined) writeResults(json, device, rows);
}

if (import.meta.main) await main();

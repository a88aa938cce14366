/**
 * Products of SmolLM2-135M's shapes on the CPU: GB/s of weights for few tokens beside the machine's read bandwidth, GFLOP/s for many beside
 * its multiply-adds. Weights of one shape are as many as no cache holds, taken in turn, as a model's layers are. The result is checked before it is timed.
 *
 *   deno run -A bench/cpu/linear_bench.ts [--threads 2] [--dtype bf16] [--tokens 1,8,512] [--calls 40] [--json FILE]
 *
 * FLASHPAGE_CPU_ISA=avx2 measures another instruction set.
 */
import { type Device, type DType, linear, openDevice, type Tensor } from "../../mod.ts";
import { DTYPE_BYTES } from "../../src/device/dtype.ts";
import { formatCase, option } from "../support/cases.ts";
import { randomTensor } from "../support/random_tensor.ts";
import { printRows, type ResultRow, writeResults } from "../support/results.ts";
import { timeCalls } from "../support/timer.ts";
import { type MachineRoofline, measureMachine, peakGflops } from "./machine.ts";

/** What no cache of the machines at hand holds. */
const COLD_BYTES = 96 << 20;
/** From so many tokens on, arithmetic is the limit. */
const MANY_TOKENS = 16;

/** [outputs, inputs] */
const SHAPES: readonly (readonly [number, number])[] = [[960, 576], [576, 576], [3072, 576], [576, 1536], [49152, 576]];

async function check(x: Tensor, weight: Tensor, out: Tensor): Promise<void> {
  const [token, output] = [x.shape[0] - 1, weight.shape[0] - 1];
  const row = await x.slice(token, token + 1).read();
  const weights = await weight.slice(output, output + 1).read();
  let want = 0;
  let scale = 0;
  for (let i = 0; i < row.length; i++) {
    want += row[i] * weights[i];
    scale += Math.abs(row[i] * weights[i]);
  }
  const got = (await out.read())[token * weight.shape[0] + output];
  if (!(Math.abs(got - want) <= 0.01 * Math.abs(want) + 1e-4 * scale)) {
    throw new Error(`linear gives ${got}, and should give ${want}.`);
  }
}

async function measure(
  device: Device,
  machine: MachineRoofline,
  dtype: DType,
  tokens: number,
  shape: readonly [number, number],
  calls: number,
): Promise<ResultRow> {
  const [outputs, inputs] = shape;
  const weightBytes = outputs * inputs * DTYPE_BYTES[dtype];
  using x = randomTensor(device, [tokens, inputs], dtype, 1);
  using all = randomTensor(device, [Math.ceil(COLD_BYTES / weightBytes), outputs, inputs], dtype, 2);
  using out = device.tensor([tokens, outputs], dtype);
  const count = all.shape[0];
  const weights = Array.from(
    { length: count },
    (_, i) => all.slice(i, i + 1).reshape([outputs, inputs]),
  );
  linear({ x, weight: weights[count - 1], out });
  await check(x, weights[count - 1], out);
  let turn = 0;
  const times = await timeCalls(device, () => linear({ x, weight: weights[turn++ % count], out }), calls);
  const microseconds = Math.min(...times);
  const isMany = tokens >= MANY_TOKENS;
  return {
    case: formatCase({ kind: "linear", params: { m: tokens, n: outputs, k: inputs, dtype, threads: machine.threads } }),
    metric: isMany ? "compute" : "bandwidth",
    unit: isMany ? "GFLOP/s" : "GB/s",
    ours: (isMany ? 2e-3 * tokens * outputs * inputs : 1e-3 * weightBytes) / microseconds,
    peers: {},
    roofline: isMany ? peakGflops(machine, device.facts.computeCapability, dtype) : machine.readGBps,
  };
}

const threads = Number(option("threads") ?? navigator.hardwareConcurrency);
const dtype = (option("dtype") ?? "bf16") as DType;
const tokens = (option("tokens") ?? "1,4,8,16,64,512").split(",").map(Number);
const calls = Number(option("calls") ?? 40);
using device = await openDevice({ backend: "cpu", numThreads: threads });
const machine = await measureMachine(threads);
console.log(`${device.name}, level ${device.facts.computeCapability}: ${JSON.stringify(machine)}`);
const rows: ResultRow[] = [];
for (const m of tokens) {
  for (const shape of SHAPES) {
    const row = await measure(device, machine, dtype, m, shape, calls);
    rows.push(row);
    printRows([row]);
  }
}
const path = option("json");
if (path !== undefined) writeResults(path, device, rows);

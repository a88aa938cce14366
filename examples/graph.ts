/**
 * A decode loop in one captured graph: `deno run -A examples/graph.ts`. Requests join while it runs and grow by a token a step; the device counts their
 * lengths and plans each step, the host only launches. Checked against the CPU, planned on the host. The numbers are random.
 */
import {
  BatchAttention,
  capture,
  type Device,
  DeviceBatch,
  embedding,
  openDevice,
  PagedKvCache,
  type Sequence,
} from "../mod.ts";

const shape = { numKvHeads: 2, headDim: 64, dtype: "bf16" } as const;
const [numQoHeads, pageSize, numPages, maxPosition] = [8, 16, 256, 512];
const [maxRequests, stepsAPhase] = [8, 5];
const prompts = [[200], [3, 64], [], [310, 1, 17]]; // lengths of the requests that join in each phase

let state = 1;
const random = (count: number) =>
  Float32Array.from({ length: count }, () => (state = state * 16807 % 2147483647) / 2147483647 * 4 - 2);
// The "model": a token's q, k and v follow from its position.
const rowsOf = { q: random(maxPosition * numQoHeads * 64), k: random(maxPosition * 128), v: random(maxPosition * 128) };
const promptRows = prompts.flat().map((length) => ({ k: random(length * 128), v: random(length * 128) }));

/** Appends the prompts of requests `first` on. */
function fill(device: Device, cache: PagedKvCache, first: number, lengths: readonly number[]): Sequence[] {
  return lengths.map((length, i) => {
    const sequence = cache.createSequence();
    using k = device.fromArray(promptRows[first + i].k, "bf16", [length, 2, 64]);
    using v = device.fromArray(promptRows[first + i].v, "bf16", [length, 2, 64]);
    cache.append([sequence], { k, v });
    return sequence;
  });
}

/** The loop in a graph. Gives the last step's output of each phase. */
async function inGraph(device: Device): Promise<Float32Array[]> {
  using stack = new DisposableStack();
  const cache = stack.use(new PagedKvCache(device, { ...shape, numPages, pageSize }));
  const batch = stack.use(new DeviceBatch(device, { maxRequests, maxPages: numPages, pageSize })); // the largest batch
  const { capacity } = batch;
  const attention = stack.use(new BatchAttention(device, { ...shape, numQoHeads, causal: true, capacity }));
  const tensor = (heads: number) => stack.use(device.tensor([batch.maxTokens, heads, 64], "bf16"));
  const [q, k, v, out] = [tensor(numQoHeads), tensor(2), tensor(2), tensor(numQoHeads)];
  const tables = { q, k, v };
  const lookups = (["q", "k", "v"] as const).map((name) => {
    const width = rowsOf[name].length / maxPosition;
    const table = stack.use(device.fromArray(rowsOf[name], "bf16", [maxPosition, width]));
    return { ids: batch.positions, table, out: tables[name].reshape([batch.maxTokens, width]) };
  });
  const graph = stack.use(capture(device.stream, () => {
    attention.planOnDevice(batch); // counts lengths up, gives tokens positions and slots, and plans
    for (const lookup of lookups) embedding(lookup);
    cache.write({ k, v, slots: batch.appendSlots });
    attention.run({ q, cache, out });
  }));

  const sequences: Sequence[] = [];
  const results: Float32Array[] = [];
  for (const joining of prompts) {
    sequences.push(...fill(device, cache, sequences.length, joining));
    const kvLens = sequences.map(({ length }) => length);
    cache.extend(sequences, sequences.map(() => stepsAPhase)); // pages for the steps to come
    batch.write({ pages: cache.pageTable(sequences), kvLens });
    for (let step = 0; step < stepsAPhase; step++) graph.launch(); // nothing else: no plan, no upload, no wait
    results.push((await out.read() as Float32Array).slice(0, sequences.length * numQoHeads * 64));
    await attention.checkDevicePlan();
  }
  return results;
}

/** The same on the CPU, planned on the host step by step. */
async function onCpu(): Promise<Float32Array[]> {
  using cpu = await openDevice({ backend: "cpu" });
  using cache = new PagedKvCache(cpu, { ...shape, numPages, pageSize });
  using attention = new BatchAttention(cpu, { ...shape, numQoHeads, causal: true });
  const sequences: Sequence[] = [];
  const results: Float32Array[] = [];
  for (const joining of prompts) {
    sequences.push(...fill(cpu, cache, sequences.length, joining));
    for (let step = 0; step < stepsAPhase; step++) {
      const positions = sequences.map(({ length }) => length);
      const gather = (rows: Float32Array, heads: number) => {
        const width = heads * 64;
        const chosen = new Float32Array(positions.length * width);
        positions.forEach((at, i) => chosen.set(rows.subarray(at * width, (at + 1) * width), i * width));
        return cpu.fromArray(chosen, "bf16", [positions.length, heads, 64]);
      };
      using q = gather(rowsOf.q, numQoHeads);
      using k = gather(rowsOf.k, 2);
      using v = gather(rowsOf.v, 2);
      const { qoIndptr } = cache.append(sequences, {
        k,
        v,
        indptr: sequences.map((_, i) => i).concat(sequences.length),
      });
      attention.plan({ qoIndptr, pages: cache.pageTable(sequences) });
      using out = attention.run({ q, cache });
      if (step === stepsAPhase - 1) results.push(await out.read() as Float32Array);
    }
  }
  return results;
}

using device = await openDevice(); // CUDA if a driver and a GPU are there, else the CPU
const [actual, expected] = [await inGraph(device), await onCpu()];
actual.forEach((values, phase) => {
  const error = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[phase][i])), 0);
  if (!(error < 0.02) || values.length !== expected[phase].length) throw new Error(`phase ${phase} is off by ${error}`);
  console.log(
    `${values.length / numQoHeads / 64} requests, ${stepsAPhase} steps in the graph on ${device.name}: ` +
      `as on the CPU within ${error.toExponential(1)}`,
  );
});

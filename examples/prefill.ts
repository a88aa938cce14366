/** Prompts of different lengths in one batch, then one of them continued: `deno run -A examples/prefill.ts`. The numbers are random. */
import { BatchAttention, indptrOf, openDevice, PagedKvCache } from "../mod.ts";

const [numQoHeads, numKvHeads, headDim, dtype] = [32, 8, 128, "bf16"] as const;
using device = await openDevice();
using cache = new PagedKvCache(device, { numPages: 256, pageSize: 16, numKvHeads, headDim, dtype });
using attention = new BatchAttention(device, { numQoHeads, numKvHeads, headDim, dtype, causal: true });
const random = (numTokens: number, numHeads: number) => {
  const values = Float32Array.from({ length: numTokens * numHeads * headDim }, () => 2 * Math.random() - 1);
  return device.fromArray(values, dtype, [numTokens, numHeads, headDim]);
};

// The tokens of all prompts lie end to end; qoIndptr says where each begins.
const lengths = [700, 33, 256];
const prompts = lengths.map(() => cache.createSequence());
const qoIndptr = indptrOf(lengths);
const numTokens = qoIndptr[lengths.length];
cache.append(prompts, { k: random(numTokens, numKvHeads), v: random(numTokens, numKvHeads), indptr: qoIndptr });
const plan = attention.plan({ qoIndptr, pages: cache.pageTable(prompts) });
const start = performance.now();
attention.run({ q: random(numTokens, numQoHeads), cache });
await device.synchronize();
console.log(`${device.name}: prompts of ${lengths} tokens in ${(performance.now() - start).toFixed(1)} ms`);
console.log(`${plan.numWorkItems} work items for ${plan.layout.numCtas} processors, ${plan.numMerges} merges`);

// More of one prompt beside one token of another: the same call.
const { qoIndptr: mixed } = cache.append([prompts[1], prompts[0]], {
  k: random(101, numKvHeads),
  v: random(101, numKvHeads),
  indptr: [0, 100, 101],
});
attention.plan({ qoIndptr: mixed, pages: cache.pageTable([prompts[1], prompts[0]]) });
const out = attention.run({ q: random(101, numQoHeads), cache });
console.log(
  `then 100 tokens more beside one: an output of shape [${out.shape}], from ${(await out.read())[0].toFixed(3)}`,
);

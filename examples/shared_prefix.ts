/**
 * Many requests over one system prompt: `deno run -A examples/shared_prefix.ts`. The numbers are random.
 *
 * The prefix's pages are held once (`fork` copies nothing), and as a level of its own its KV is read once for all requests together.
 */
import {
  BatchAttention,
  indptrOf,
  openDevice,
  PagedKvCache,
  pageTableFromLists,
  type PlanOptions,
  sharedPrefixLevels,
} from "../mod.ts";

const [numQoHeads, numKvHeads, headDim, dtype, pageSize] = [32, 8, 128, "bf16", 16] as const;
const [numRequests, prefixLen] = [16, 2048];
using device = await openDevice();
using cache = new PagedKvCache(device, { numPages: 256, pageSize, numKvHeads, headDim, dtype });
using attention = new BatchAttention(device, { numQoHeads, numKvHeads, headDim, dtype, causal: true });
const random = (numTokens: number, numHeads: number) => {
  const values = Float32Array.from({ length: numTokens * numHeads * headDim }, () => 2 * Math.random() - 1);
  return device.fromArray(values, dtype, [numTokens, numHeads, headDim]);
};

const system = cache.createSequence();
cache.append([system], { k: random(prefixLen, numKvHeads), v: random(prefixLen, numKvHeads) });
const chats = Array.from({ length: numRequests }, () => system.fork());
const suffixLens = chats.map((_, i) => 5 + 3 * i);
const indptr = indptrOf(suffixLens);
const numNew = indptr[numRequests];
cache.append(chats, { k: random(numNew, numKvHeads), v: random(numNew, numKvHeads), indptr });

// A decode step: one query token a request.
const qoIndptr = indptrOf(chats.map(() => 1));
const q = random(numRequests, numQoHeads);
const ownPages = chats.map(({ pages }) => pages.slice(system.pages.length));
const levels = sharedPrefixLevels(
  qoIndptr,
  [{ requests: chats.map((_, i) => i), pages: system.pages }],
  pageTableFromLists(ownPages, suffixLens, pageSize),
);
const plain = await decode({ qoIndptr, pages: cache.pageTable(chats) });
const shared = await decode({ qoIndptr, levels });
let difference = 0;
for (let i = 0; i < plain.out.length; i++) difference = Math.max(difference, Math.abs(plain.out[i] - shared.out[i]));
console.log(`${numRequests} requests over a prefix of ${prefixLen} tokens, on ${device.name}`);
console.log(`each by itself:  ${plain.milliseconds.toFixed(2)} ms`);
console.log(`prefix shared:   ${shared.milliseconds.toFixed(2)} ms, largest difference ${difference.toExponential(1)}`);

/** Plans once and runs ten times, as a model's layers do. */
async function decode(batch: PlanOptions) {
  attention.plan(batch);
  const out = attention.run({ q, cache });
  await device.synchronize();
  const start = performance.now();
  for (let layer = 0; layer < 10; layer++) attention.run({ q, cache, out });
  await device.synchronize();
  return { milliseconds: (performance.now() - start) / 10, out: await out.read() };
}

/** One chat grows token by token, in the fewest lines: `deno run -A examples/decode.ts`. The numbers are random. */
import { BatchAttention, openDevice, PagedKvCache } from "../mod.ts";

using device = await openDevice(); // CUDA if a driver and a GPU are there, else the CPU
const shape = { numKvHeads: 8, headDim: 128, dtype: "bf16" } as const;
using cache = new PagedKvCache(device, { ...shape, numPages: 64, pageSize: 16 });
using attention = new BatchAttention(device, { ...shape, numQoHeads: 32, causal: true });
const random = (numTokens: number, numHeads: number) =>
  device.fromArray(Float32Array.from({ length: numTokens * numHeads * 128 }, () => 2 * Math.random() - 1), "bf16", [
    numTokens,
    numHeads,
    128,
  ]);

const chat = cache.createSequence();
cache.append([chat], { k: random(500, 8), v: random(500, 8) }); // a prompt of 500 tokens
for (let step = 0; step < 4; step++) {
  const { qoIndptr } = cache.append([chat], { k: random(1, 8), v: random(1, 8) }); // allocates pages, writes K and V
  attention.plan({ qoIndptr, pages: cache.pageTable([chat]) });
  const out = await attention.run({ q: random(1, 32), cache }).read();
  console.log(`${chat.length} tokens in ${chat.pages.length} pages; head 0 begins ${out.slice(0, 3)}`);
}

/** An infinite value that a row sees makes its result infinite, and not NaN, however the row's tokens are cut into pieces. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { BatchAttention, pageTableFromLists } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";

const [numQoHeads, headDim, pageSize] = [4, 128, 64];

onEveryBackend("attention over infinity", (device) => {
  // On a GPU each 64 tokens are a piece; partial results are added up some at a time.
  for (const numPages of [1, 2, 3, 5, 16, 21, 33]) {
    it(`of ${numPages * pageSize} tokens: in the last value`, async () => {
      const numTokens = numPages * pageSize;
      const shape = [numPages, pageSize, 1, headDim];
      const values = new Float32Array(numTokens * headDim).fill(1 / 64);
      values[(numTokens - 1) * headDim] = Infinity;
      using q = device().fromArray(new Float32Array(numQoHeads * headDim).fill(1 / 64), "bf16", [
        1,
        numQoHeads,
        headDim,
      ]);
      using k = device().fromArray(new Float32Array(numTokens * headDim).fill(1 / 64), "bf16", shape);
      using v = device().fromArray(values, "bf16", shape);
      using attention = new BatchAttention(device(), {
        numQoHeads,
        numKvHeads: 1,
        headDim,
        dtype: "bf16",
        causal: true,
      });
      attention.plan({
        qoIndptr: [0, 1],
        pages: pageTableFromLists([Int32Array.from({ length: numPages }, (_, page) => page)], [numTokens], pageSize),
      });
      using out = attention.run({ q, cache: { k, v } });
      const all = await out.read();
      for (let head = 0; head < numQoHeads; head++) {
        const row = Array.from(all.slice(head * headDim, (head + 1) * headDim));
        assert.equal(row[0], Infinity);
        assert.ok(row.slice(1).every((x) => x === 1 / 64));
      }
    });
  }
});

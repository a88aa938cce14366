/** NaN is not hidden: a row that sees one gives NaN, and on the CPU only such a row. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { BatchAttention, densePageTable } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";

const [numTokens, headDim] = [40, 64];

onEveryBackend("attention over NaN", (device) => {
  /** Of one head; `change` may put NaN anywhere. Gives the rows' first values, and their LSE. */
  async function rows(
    numRows: number,
    change: (q: Float32Array, k: Float32Array, v: Float32Array) => void,
  ): Promise<{ out: number[]; lse: number[] }> {
    const [q, k, v] = [numRows, numTokens, numTokens].map((count) => new Float32Array(count * headDim).fill(1 / 64));
    change(q, k, v);
    const tensor = (values: Float32Array) => device().fromArray(values, "bf16", [values.length / headDim, 1, headDim]);
    using attention = new BatchAttention(device(), {
      numQoHeads: 1,
      numKvHeads: 1,
      headDim,
      dtype: "bf16",
      causal: true,
    });
    using queries = tensor(q);
    using keys = tensor(k);
    using values = tensor(v);
    using lse = device().tensor([numRows, 1], "f32");
    attention.plan({ qoIndptr: [0, numRows], pages: densePageTable([numTokens], numTokens) });
    using out = attention.run({
      q: queries,
      cache: { k: keys.reshape([1, numTokens, 1, headDim]), v: values.reshape([1, numTokens, 1, headDim]) },
      lse,
    });
    const all = await out.read();
    return { out: Array.from({ length: numRows }, (_, r) => all[r * headDim]), lse: Array.from(await lse.read()) };
  }

  for (const numRows of [1, 3, numTokens]) {
    it(`of ${numRows} rows: a query, all keys or one key`, async () => {
      const query = await rows(numRows, (q) => q.fill(NaN, 0, headDim));
      assert.deepEqual([query.out[0], query.lse[0]], [NaN, NaN]);
      assert.ok(query.out.slice(1).every((x) => x === 1 / 64));
      const keys = await rows(numRows, (_, k) => k.fill(NaN));
      assert.ok([...keys.out, ...keys.lse].every(Number.isNaN));
      const key = await rows(numRows, (_, k) => k.fill(NaN, 0, headDim));
      assert.ok([...key.out, ...key.lse].every(Number.isNaN));
    });

    it(`of ${numRows} rows: the last key and value, which only the last row sees`, async () => {
      const last = (numTokens - 1) * headDim;
      const key = await rows(numRows, (_, k) => k.fill(NaN, last));
      assert.ok(Number.isNaN(key.out[numRows - 1]));
      assert.ok(key.out.slice(0, -1).every((x) => x === 1 / 64), "a hidden key's NaN shows");
      const value = await rows(numRows, (_, __, v) => v.fill(NaN, last));
      assert.ok(Number.isNaN(value.out[numRows - 1]));
      // Matrix units multiply hidden values by 0, which NaN survives.
      if (device().kind === "cpu") assert.ok(value.out.slice(0, -1).every((x) => x === 1 / 64));
    });
  }
});

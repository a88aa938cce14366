import assert from "node:assert/strict";
import { it } from "node:test";
import { BatchAttention, InvalidArgumentError, mergeStates, raggedPageTable } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, FLOAT_DTYPES, rounded } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { ROUNDING, roundingOf } from "../support/tolerance.ts";

onEveryBackend("mergeStates", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (
      const [numStates, numTokens, numHeads, headDim] of [[1, 3, 2, 64], [2, 5, 3, 128], [7, 2, 4, 33], [40, 1, 1, 256]]
    ) {
      it(`${dtype}: ${numStates} states of [${numTokens}, ${numHeads}, ${headDim}]`, async () => {
        const random = new Random(headDim);
        const numRows = numTokens * numHeads;
        const values = rounded(dtype, random.normals(numStates * numRows * headDim));
        const lseValues = random.normals(numStates * numRows, 30);
        // Row 0 is empty in every state, row 1 in all but the last; what stands in an empty state must not count.
        for (let s = 0; s < numStates; s++) {
          for (const row of s + 1 < numStates ? [0, 1] : [0]) {
            lseValues[s * numRows + row] = -Infinity;
            values.fill(NaN, (s * numRows + row) * headDim, (s * numRows + row + 1) * headDim);
          }
        }
        using states = device().fromArray(values, dtype, [numStates, numTokens, numHeads, headDim]);
        using lses = device().fromArray(lseValues, "f32", [numStates, numTokens, numHeads]);
        using lse = device().tensor([numTokens, numHeads], "f32");
        using out = mergeStates({ states, lses, lse });
        const [got, gotLse] = [await out.read(), await lse.read()];
        for (let row = 0; row < numRows; row++) {
          const own = Array.from({ length: numStates }, (_, s) => lseValues[s * numRows + row]);
          const maximum = Math.max(...own);
          const weights = own.map((value) => maximum === -Infinity ? 0 : Math.exp(value - maximum));
          const sum = weights.reduce((a, b) => a + b, 0);
          const expected = new Float64Array(headDim);
          const size = new Float64Array(headDim);
          for (let s = 0; s < numStates; s++) {
            if (weights[s] === 0) continue;
            for (let d = 0; d < headDim; d++) {
              const term = weights[s] / sum * values[(s * numRows + row) * headDim + d];
              expected[d] += term;
              size[d] += Math.abs(term);
            }
          }
          const tolerance = (d: number): number => 1.01 * roundingOf(dtype, expected[d]) + 2 ** -17 * size[d];
          assertClose(got.subarray(row * headDim, (row + 1) * headDim), expected, tolerance, `row ${row}`);
          const expectedLse = sum === 0 ? -Infinity : maximum + Math.log(sum);
          assertClose(
            [gotLse[row]],
            [expectedLse],
            () => 2 ** -18 + 2 ** -22 * Math.abs(expectedLse),
            `lse of row ${row}`,
          );
        }
      });
    }
  }

  it("joins attention over two halves of the keys to attention over all", async () => {
    const random = new Random(1);
    const [numTokens, numQoHeads, numKvHeads, headDim, numKv, cut] = [3, 8, 2, 64, 500, 213];
    using q = device().fromArray(random.normals(numTokens * numQoHeads * headDim), "f16", [
      numTokens,
      numQoHeads,
      headDim,
    ]);
    using k = device().fromArray(random.normals(numKv * numKvHeads * headDim), "f16", [numKv, 1, numKvHeads, headDim]);
    using v = device().fromArray(random.normals(numKv * numKvHeads * headDim), "f16", [numKv, 1, numKvHeads, headDim]);
    using attention = new BatchAttention(device(), { numQoHeads, numKvHeads, headDim, dtype: "f16" });
    using states = device().tensor([2, numTokens, numQoHeads, headDim], "f16");
    using lses = device().tensor([2, numTokens, numQoHeads], "f32");
    using whole = device().tensor([numTokens, numQoHeads, headDim], "f16");
    using wholeLse = device().tensor([numTokens, numQoHeads], "f32");
    using lse = device().tensor([numTokens, numQoHeads], "f32");
    const attend = (begin: number, end: number, out: typeof whole, outLse: typeof lse): void => {
      const pages = raggedPageTable([0, end - begin]);
      attention.plan({ qoIndptr: [0, numTokens], pages });
      attention.run({ q, cache: { k: k.slice(begin, end), v: v.slice(begin, end) }, out, lse: outLse });
    };
    const part = (i: number): [typeof whole, typeof lse] => [
      states.slice(i, i + 1).reshape([numTokens, numQoHeads, headDim]),
      lses.slice(i, i + 1).reshape([numTokens, numQoHeads]),
    ];
    attend(0, cut, ...part(0));
    attend(cut, numKv, ...part(1));
    attend(0, numKv, whole, wholeLse);
    using merged = mergeStates({ states, lses, lse });
    // Halves are rounded once more than the whole; |v| <= 3.5.
    assertClose(await merged.read(), await whole.read(), () => 4 * 3.5 * ROUNDING.f16, "out");
    const expected = await wholeLse.read();
    assertClose(await lse.read(), expected, (i) => 2 ** -18 + 2 ** -20 * Math.abs(expected[i]), "lse");
  });

  it("refuses what does not fit", () => {
    using states = device().tensor([2, 3, 4, 64], "f16");
    using lses = device().tensor([2, 3, 4], "f32");
    using flat = device().tensor([2, 12], "f32");
    using none = device().tensor([0, 3, 4, 64], "f16");
    assert.throws(() => mergeStates({ states, lses: flat }), /lses is f32 \[2,12\].*Expected contiguous f32 \[2,3,4\]/);
    assert.throws(() => mergeStates({ states: none, lses }), /there are none/);
    assert.throws(() => mergeStates({ states: flat, lses }), InvalidArgumentError);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BatchAttention, blockSparseLevel, InvalidArgumentError, kvLen } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, rounded } from "../support/matrix.ts";
import { attendRow } from "../support/oracle.ts";
import { Random } from "../support/random.ts";
import { assertRefused } from "../support/refused.ts";
import { outTolerance } from "../support/tolerance.ts";

const good = { numTokens: 5, numKvTokens: 10, blockRows: 2, blockCols: 4, indptr: [0, 1, 3, 3], indices: [1, 0, 2] };

describe("blockSparseLevel", () => {
  it("lists the KV tokens of the blocks present, for any block height and width", () => {
    const shape = fc.record({
      numTokens: fc.nat(40),
      numKvTokens: fc.nat(3000),
      blockRows: fc.integer({ min: 1, max: 9 }),
      blockCols: fc.integer({ min: 1, max: 1500 }),
      seed: fc.nat(),
    });
    fc.assert(fc.property(shape, ({ seed, ...sizes }) => {
      const random = new Random(seed);
      const [numRows, numCols] = [
        Math.ceil(sizes.numTokens / sizes.blockRows),
        Math.ceil(sizes.numKvTokens / sizes.blockCols),
      ];
      const rows = Array.from(
        { length: numRows },
        () => Array.from({ length: numCols }, (_, col) => col).filter(() => random.next() < 0.4),
      );
      const indptr = [0];
      for (const row of rows) indptr.push(indptr[indptr.length - 1] + row.length);
      const { rowIndptr, pages } = blockSparseLevel({ ...sizes, indptr, indices: rows.flat() });
      rows.forEach((columns, r) => {
        assert.equal(rowIndptr[r + 1] - rowIndptr[r], Math.min(sizes.blockRows, sizes.numTokens - r * sizes.blockRows));
        const expected = columns.flatMap((col) => {
          const begin = col * sizes.blockCols;
          return Array.from({ length: Math.min(sizes.blockCols, sizes.numKvTokens - begin) }, (_, t) => begin + t);
        });
        const found = Array.from(
          { length: kvLen(pages, r) },
          (_, t) =>
            pages.indices[pages.indptr[r] + Math.floor(t / pages.pageSize)] * pages.pageSize + t % pages.pageSize,
        );
        assert.deepEqual(found, expected);
      });
    }));
  });

  it("refuses blocks that are not there, and rows that do not rise", () => {
    const bad: [Partial<typeof good>, RegExp][] = [
      [{ indices: [3, 0, 2] }, /block column 3 of block row 0 must be below 3/],
      [{ indices: [-1, 0, 2] }, /block column -1/],
      [{ indices: [1, 2, 2] }, /block column 2 of block row 1 must be .* above the one before/],
      [{ indptr: [0, 1, 3] }, /indptr has 3 entries, 3 block rows need 4/],
      [{ indptr: [0, 1, 3, 4] }, /indptr ends with 4, there are 3 indices/],
      [{ indptr: [0, 2, 1, 3] }, /falls from 2 to 1/],
      [{ blockRows: 0 }, /blockRows is 0/],
      [{ blockCols: 1.5 }, /blockCols is 1.5/],
      [{ numTokens: -1 }, /numTokens is -1/],
      [{ numKvTokens: NaN }, /numKvTokens is NaN/],
    ];
    for (const [change, message] of bad) {
      assertRefused(InvalidArgumentError, message, () => blockSparseLevel({ ...good, ...change }));
    }
  });
});

onEveryBackend("block-sparse attention", (device) => {
  for (const [blockRows, blockCols] of [[1, 1], [4, 16], [16, 4], [7, 33], [64, 128]]) {
    it(`blocks of ${blockRows} x ${blockCols} give what the same mask gives`, async () => {
      const random = new Random(blockRows);
      const [numTokens, numKvTokens, numKvHeads, groupSize, headDim] = [130, 300, 2, 2, 64];
      const numQoHeads = numKvHeads * groupSize;
      const [numRows, numCols] = [Math.ceil(numTokens / blockRows), Math.ceil(numKvTokens / blockCols)];
      const rows = Array.from(
        { length: numRows },
        (_, row) => Array.from({ length: numCols }, (_, col) => col).filter(() => row !== 1 && random.next() < 0.3),
      );
      const indptr = [0];
      for (const row of rows) indptr.push(indptr[indptr.length - 1] + row.length);
      const level = blockSparseLevel({ numTokens, numKvTokens, blockRows, blockCols, indptr, indices: rows.flat() });
      const mask = new Uint8Array(numTokens * numKvTokens);
      for (let i = 0; i < numTokens; i++) {
        for (const col of rows[Math.floor(i / blockRows)]) {
          mask.fill(
            1,
            i * numKvTokens + col * blockCols,
            i * numKvTokens + Math.min((col + 1) * blockCols, numKvTokens),
          );
        }
      }
      // Dense K and V, with room for the last block to be whole.
      const { pageSize } = level.pages;
      const numPages = Math.ceil(numKvTokens / pageSize);
      const q = rounded("bf16", random.normals(numTokens * numQoHeads * headDim));
      const k = rounded("bf16", random.normals(numPages * pageSize * numKvHeads * headDim));
      const v = rounded("bf16", random.normals(k.length));
      k.fill(NaN, numKvTokens * numKvHeads * headDim);
      v.fill(NaN, numKvTokens * numKvHeads * headDim);
      using qTensor = device().fromArray(q, "bf16", [numTokens, numQoHeads, headDim]);
      using kTensor = device().fromArray(k, "bf16", [numPages, pageSize, numKvHeads, headDim]);
      using vTensor = device().fromArray(v, "bf16", [numPages, pageSize, numKvHeads, headDim]);
      using attention = new BatchAttention(device(), { numQoHeads, numKvHeads, headDim, dtype: "bf16" });
      attention.plan({ qoIndptr: level.rowIndptr, levels: [level] });
      using out = attention.run({ q: qTensor, cache: { k: kTensor, v: vTensor } });
      const got = await out.read();
      const batch = {
        q,
        k,
        v,
        qoIndptr: [0, numTokens],
        slots: [Int32Array.from({ length: numKvTokens }, (_, t) => t)],
        masks: [mask],
        numKvHeads,
        groupSize,
        headDimQk: headDim,
        headDimVo: headDim,
        causal: false,
        windowLeft: -1,
        windowRight: -1,
        smScale: 1 / Math.sqrt(headDim),
        logitsSoftCap: 0,
      };
      for (let token = 0; token < numTokens; token++) {
        for (let head = 0; head < numQoHeads; head++) {
          const row = attendRow(batch, 0, token, head);
          const at = (token * numQoHeads + head) * headDim;
          assertClose(
            got.subarray(at, at + headDim),
            row.out,
            (d) => outTolerance(row, d, { dtype: "bf16", logitsSoftCap: 0 }),
            `token ${token}, head ${head}`,
          );
        }
      }
    });
  }
});

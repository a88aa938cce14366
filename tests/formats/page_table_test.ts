import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  densePageTable,
  InvalidArgumentError,
  kvLen,
  numRows,
  PageError,
  pageTable,
  pageTableFromCsr,
  pageTableFromLists,
} from "../../mod.ts";
import { checkPageTable, largestPageSize } from "../../src/formats/page_table.ts";
import { assertRefused } from "../support/refused.ts";

const good = { indptr: [0, 2, 2, 3], indices: [7, 1, 4], lastPageLen: [3, 0, 8], pageSize: 8 };

describe("pageTable", () => {
  it("takes plain arrays, and typed ones in place", () => {
    const table = pageTable(good);
    assert.equal(numRows(table), 3);
    assert.deepEqual([0, 1, 2].map((row) => kvLen(table, row)), [11, 0, 8]);
    const indices = Int32Array.from([7, 1, 4, -5]);
    assert.equal(pageTable({ ...good, indices }).indices, indices);
  });

  it("refuses what contradicts itself, naming the values", () => {
    const bad: [Partial<typeof good>, RegExp][] = [
      [{ indptr: [] }, /indptr is empty/],
      [{ indptr: [1, 2, 2, 3] }, /indptr starts with 1/],
      [{ indptr: [0, 2, 1, 3] }, /indptr falls from 2 to 1 at row 1/],
      [{ indptr: [0, 2, 3] }, /indptr has 2 rows, lastPageLen 3 entries/],
      [{ indptr: [0, 2, 2, 4] }, /indptr ends with 4, but there are 3 page ids/],
      [{ lastPageLen: [9, 0, 8] }, /lastPageLen of row 0 is 9 for 2 pages. Expected 1 to 8/],
      [{ lastPageLen: [0, 0, 8] }, /lastPageLen of row 0 is 0/],
      [{ lastPageLen: [3, 1, 8] }, /lastPageLen of row 1 is 1 for 0 pages. Expected 0/],
      [{ lastPageLen: [3, 0, -8] }, /lastPageLen of row 2 is -8/],
      [{ indices: [7, 1.5, 4] }, /indices\[1\] is 1.5/],
      [{ indices: [7, NaN, 4] }, /indices\[1\] is NaN/],
      [{ indices: [7, 2 ** 31, 4] }, /indices\[1\] is 2147483648/],
      [{ pageSize: 0 }, /pageSize is 0/],
      [{ pageSize: 1025 }, /pageSize is 1025/],
      [{ pageSize: 2.5 }, /pageSize is 2.5/],
      [{ pageSize: NaN }, /pageSize is NaN/],
    ];
    for (const [change, message] of bad) {
      assertRefused(InvalidArgumentError, message, () => pageTable({ ...good, ...change }));
    }
  });

  it("names the row of a page id out of range", () => {
    const table = pageTable(good);
    checkPageTable(table, 8);
    assertRefused(
      PageError,
      /page 7 of row 0 is not in the cache \(7 pages\). Pass page ids from 0 to 6/,
      () => checkPageTable(table, 7),
    );
    assertRefused(PageError, /page -4 of row 2/, () => checkPageTable(pageTable({ ...good, indices: [7, 1, -4] }), 8));
  });
});

describe("pageTableFromCsr", () => {
  it("takes FlashInfer's arrays, where a row without pages has any last page length", () => {
    const table = pageTableFromCsr({
      kvIndptr: [0, 2, 2, 3],
      kvIndices: [7, 1, 4],
      kvLastPageLen: [3, 5, 8],
      pageSize: 8,
    });
    assert.deepEqual([...table.lastPageLen], [3, 0, 8]);
    const kvLastPageLen = Int32Array.from([3, 5, 8]);
    pageTableFromCsr({ kvIndptr: [0, 2, 2, 3], kvIndices: [7, 1, 4], kvLastPageLen, pageSize: 8 });
    assert.deepEqual([...kvLastPageLen], [3, 5, 8], "the caller's array was changed");
  });
});

describe("pageTableFromLists", () => {
  it("keeps lists and lengths, whatever they are", () => {
    const row = fc.tuple(fc.array(fc.nat(1000), { maxLength: 6 }), fc.nat(10));
    fc.assert(fc.property(fc.array(row, { maxLength: 8 }), fc.integer({ min: 1, max: 9 }), (rows, pageSize) => {
      const lists = rows.map(([pages]) => pages);
      const lens = rows.map(([pages, rest]) =>
        pages.length === 0 ? 0 : (pages.length - 1) * pageSize + 1 + rest % pageSize
      );
      const table = pageTableFromLists(lists, lens, pageSize);
      checkPageTable(table, 1001);
      rows.forEach(([pages], r) => {
        assert.equal(kvLen(table, r), lens[r]);
        assert.deepEqual([...table.indices.subarray(table.indptr[r], table.indptr[r + 1])], pages);
      });
    }));
  });

  it("refuses lists that do not hold the tokens", () => {
    assertRefused(
      InvalidArgumentError,
      /row 0 has 9 tokens, which need 2 pages of 8, but lists 1/,
      () => pageTableFromLists([[3]], [9], 8),
    );
    assertRefused(InvalidArgumentError, /row 0 has -1 tokens/, () => pageTableFromLists([[]], [-1], 8));
    assertRefused(InvalidArgumentError, /1 page lists and 2 lengths/, () => pageTableFromLists([[1]], [1, 1], 8));
  });
});

describe("densePageTable", () => {
  it("sees each row's tokens where they lie", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.array(fc.nat(3000), { maxLength: 5 }), (maxTokens, lens) => {
        const kvLens = lens.map((length) => length % (maxTokens + 1));
        const table = densePageTable(kvLens, maxTokens);
        assert.equal(maxTokens % table.pageSize, 0);
        kvLens.forEach((length, r) => {
          assert.equal(kvLen(table, r), length);
          for (let t = 0; t < length; t += table.pageSize) {
            const page = table.indices[table.indptr[r] + t / table.pageSize];
            assert.equal(page * table.pageSize, r * maxTokens + t);
          }
        });
      }),
    );
  });

  it("takes the largest page that divides", () => {
    assert.deepEqual([1, 7, 1024, 1025, 4096, 1031].map(largestPageSize), [1, 7, 1024, 205, 1024, 1]);
    assertRefused(
      InvalidArgumentError,
      /row 1 has 9 tokens. Pass an integer from 0 to 8/,
      () => densePageTable([8, 9], 8),
    );
    for (const bad of [0, -1, 1.5, NaN]) {
      assertRefused(InvalidArgumentError, /maxKvTokens/, () => densePageTable([], bad));
    }
  });
});

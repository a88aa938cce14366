import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { indptrOf, InvalidArgumentError, kvLen, raggedPageTable } from "../../mod.ts";
import { checkIndptr, lengthsOf } from "../../src/formats/ragged.ts";
import { assertRefused } from "../support/refused.ts";

describe("indptrOf", () => {
  it("is the inverse of lengthsOf", () => {
    fc.assert(fc.property(fc.array(fc.nat(1e6)), (lengths) => {
      const indptr = indptrOf(lengths);
      assert.deepEqual([...lengthsOf(indptr)], lengths);
      assert.equal(checkIndptr("x", indptr), indptr);
    }));
  });

  it("refuses lengths that make no offsets", () => {
    for (const bad of [-1, 0.5, NaN, Infinity]) {
      assertRefused(InvalidArgumentError, new RegExp(`length 1 is ${bad}`), () => indptrOf([1, bad]));
    }
    assertRefused(InvalidArgumentError, /first 2 lengths sum to 2147483648/, () => indptrOf([2 ** 31 - 1, 1]));
    assert.equal(indptrOf([2 ** 31 - 1])[1], 2 ** 31 - 1);
  });
});

describe("checkIndptr", () => {
  it("refuses offsets that are empty, start elsewhere or fall", () => {
    assertRefused(InvalidArgumentError, /q is empty|use q: it is empty/, () => checkIndptr("q", []));
    assertRefused(InvalidArgumentError, /starts with 2/, () => checkIndptr("q", [2, 3]));
    assertRefused(InvalidArgumentError, /falls from 5 to 4 at entry 2/, () => checkIndptr("q", [0, 5, 4]));
    assertRefused(InvalidArgumentError, /q\[1\] is NaN/, () => checkIndptr("q", [0, NaN]));
  });
});

describe("raggedPageTable", () => {
  it("sees each row's tokens where they lie", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 6 }), fc.integer({ min: 1, max: 8 }), (lengths, pageSize) => {
        // Rows that begin at multiples of the page: lengths rounded up, but what is used is the last row's own.
        const aligned = lengths.map((length, r) =>
          r + 1 < lengths.length ? Math.ceil(length / pageSize) * pageSize : length
        );
        const starts = indptrOf(aligned);
        const table = raggedPageTable(starts, pageSize);
        aligned.forEach((length, r) => {
          assert.equal(kvLen(table, r), length);
          for (let p = table.indptr[r]; p < table.indptr[r + 1]; p++) {
            assert.equal(table.indices[p] * pageSize, starts[r] + (p - table.indptr[r]) * pageSize);
          }
        });
      }),
    );
  });

  it("refuses rows that begin inside a page", () => {
    assertRefused(
      InvalidArgumentError,
      /row 1 begins at token 3, which is no multiple of it. Pass pageSize 1/,
      () => raggedPageTable([0, 3, 5], 2),
    );
    assert.deepEqual([...raggedPageTable([0, 3, 5]).indices], [0, 1, 2, 3, 4]);
  });
});

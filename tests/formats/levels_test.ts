import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  indptrOf,
  InvalidArgumentError,
  type KvLevel,
  PageError,
  pageTableFromLists,
  sharedPrefixLevels,
} from "../../mod.ts";
import { checkLevels, kvLensOfLevels, requestOfToken, singleLevel } from "../../src/formats/levels.ts";
import { assertRefused } from "../support/refused.ts";

const qoIndptr = indptrOf([2, 1, 0, 3]);
const suffixes = pageTableFromLists([[1], [2], [], [3, 4]], [3, 8, 0, 9], 8);

describe("sharedPrefixLevels", () => {
  it("makes a level of the groups and one of the suffixes", () => {
    const levels = sharedPrefixLevels(qoIndptr, [{ requests: [3, 0], pages: [9, 8] }, {
      requests: [1],
      pages: [7],
      kvLen: 5,
    }], suffixes);
    checkLevels(levels, qoIndptr, 10);
    assert.deepEqual([...levels[0].rowIndptr], [0, 5, 6]);
    assert.deepEqual([...levels[0].rowIndices!], [3, 4, 5, 0, 1, 2]);
    assert.deepEqual([...kvLensOfLevels(levels, qoIndptr)], [16 + 3, 5 + 8, 0, 16 + 9]);
  });

  it("refuses groups that overlap, miss, or do not fill their pages", () => {
    const share = (groups: Parameters<typeof sharedPrefixLevels>[1]) => () =>
      sharedPrefixLevels(qoIndptr, groups, suffixes);
    assertRefused(
      InvalidArgumentError,
      /request 1 of group 1 is in a group already/,
      share([{ requests: [1], pages: [] }, { requests: [1], pages: [] }]),
    );
    assertRefused(
      InvalidArgumentError,
      /request 4 of group 0 is not among the 4/,
      share([{ requests: [4], pages: [] }]),
    );
    assertRefused(InvalidArgumentError, /request 0.5 of group 0/, share([{ requests: [0.5], pages: [] }]));
    assertRefused(
      InvalidArgumentError,
      /group 0 has 17 tokens and 2 pages of 8/,
      share([{ requests: [0], pages: [1, 2], kvLen: 17 }]),
    );
    assertRefused(InvalidArgumentError, /group 0 has NaN tokens/, share([{ requests: [0], pages: [1], kvLen: NaN }]));
  });
});

describe("checkLevels", () => {
  const level = (
    rowIndptr: number[],
    rowIndices: number[] | undefined,
    lists: number[][],
    lens: number[],
    pageSize = 8,
  ): KvLevel => ({
    rowIndptr: Int32Array.from(rowIndptr),
    rowIndices: rowIndices === undefined ? undefined : Int32Array.from(rowIndices),
    pages: pageTableFromLists(lists, lens, pageSize),
  });

  it("takes one row of pages a request", () => {
    checkLevels(singleLevel(qoIndptr, suffixes), qoIndptr, 5);
    assertRefused(PageError, /page 4 of row 3/, () => checkLevels(singleLevel(qoIndptr, suffixes), qoIndptr, 4));
  });

  it("refuses what does not fit the batch", () => {
    const bad: [KvLevel[], RegExp][] = [
      [[], /there are none/],
      [[level([0, 2], undefined, [[1], [2]], [1, 1])], /1 block rows and 2 rows of pages/],
      [[level([0, 7], undefined, [[1]], [1])], /its rows end at token 7, the batch has 6/],
      [[level([0, 3], [0, 1], [[1]], [1])], /rowIndptr ends with 3, rowIndices has 2/],
      [[level([0, 1], [6], [[1]], [1])], /query token 6 of block row 0 is not among the 6/],
      [[level([0, 1], [-1], [[1]], [1])], /query token -1/],
      [[level([0, 1], [0], [[1]], [1])], /lists token 0 of request 0, but not its 2 tokens/],
      [[level([0, 2], [1, 0], [[1]], [1])], /lists token 1 of request 0/],
      [
        [level([0, 2, 4], [0, 1, 0, 1], [[1], [2]], [1, 1])],
        /query token 0 is listed twice, the second time by block row 1/,
      ],
      [
        [level([0, 2], [0, 1], [[1]], [1]), level([0, 1], [2], [[1]], [1], 4)],
        /its page size is 4, that of level 0 is 8/,
      ],
    ];
    for (const [levels, message] of bad) {
      assertRefused(InvalidArgumentError, message, () => checkLevels(levels, qoIndptr));
    }
  });
});

describe("requestOfToken", () => {
  it("finds the owner among requests of any length", () => {
    fc.assert(fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }), (lengths) => {
      const indptr = indptrOf(lengths);
      for (let r = 0; r < lengths.length; r++) {
        for (let token = indptr[r]; token < indptr[r + 1]; token++) assert.equal(requestOfToken(indptr, token), r);
      }
    }));
  });
});

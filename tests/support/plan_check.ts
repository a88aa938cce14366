/**
 * Walks a plan the way a kernel does and compares what it computes with what the batch asks for: every visible KV token of every
 * (query token, KV head) exactly once, every output row written exactly once, every partial read by the merge that owns it.
 */
import assert from "node:assert/strict";
import { CTA_START, MERGE_ITEM } from "../../src/ffi/structs.gen.ts";
import { kvLensOfLevels, singleLevel } from "../../src/formats/levels.ts";
import { kvLen } from "../../src/formats/page_table.ts";
import {
  ctaBeginOfPlan,
  mergeOfPlan,
  type Plan,
  rowEntryOfPlan,
  type RowTileView,
  tileOfPlan,
  workItemOfPlan,
} from "../../src/planner/plan.ts";
import type { AttentionProblem, CheckedConfig } from "../../src/planner/problem.ts";

/** A range of KV positions that some work item covered for one (token, KV head), and where its result went. */
interface Piece {
  kvPosBegin: number;
  kvPosEnd: number;
  /** Workspace row of the token's first query head; -1 if final. */
  partialRow: number;
}

/** Throws an assertion error that names what is wrong. */
export function checkPlan(plan: Plan, problem: AttentionProblem, config: CheckedConfig): void {
  const { limits, numKvHeads, groupSize } = config;
  const { qoIndptr } = problem;
  const numTokens = qoIndptr[qoIndptr.length - 1];
  assert.equal(plan.numTokens, numTokens);
  checkSections(plan);
  checkLaunch(plan);

  const pieces: Piece[][] = Array.from({ length: numTokens * numKvHeads }, () => []);
  const partialRowsUsed = new Uint8Array(plan.numPartialRows);
  const ctaBegin = ctaBeginOfPlan(plan);
  assert.equal(ctaBegin.length, limits.numCtas + 1);
  assert.equal(ctaBegin[0], 0);
  const numShareItems = plan.numWorkItems - plan.numQueuedPieces - plan.numQueuedItems;
  assert.equal(ctaBegin[limits.numCtas], numShareItems);
  for (let cta = 0; cta < limits.numCtas; cta++) {
    assert.ok(ctaBegin[cta + 1] >= ctaBegin[cta], `CTA ${cta} has items ${ctaBegin[cta]} to ${ctaBegin[cta + 1]}`);
  }

  const pagesOf = pageLists(plan);
  const tables = levelTables(problem);
  for (let i = 0; i < plan.numWorkItems; i++) {
    const item = workItemOfPlan(plan, i);
    const tile = tileOfPlan(plan, item.tile);
    const numRows = tile.numTokens * groupSize;
    const isQueued = i >= numShareItems;
    assert.equal(
      isQueued,
      limits.prefillCtas > 0 && tile.tileClass === "prefill",
      `item ${i} is ${isQueued ? "" : "not "}in the queue`,
    );
    if (isQueued) {
      assert.equal(
        item.numKvHeads,
        i < numShareItems + plan.numQueuedPieces ? 1 : numKvHeads,
        `KV heads of queued item ${i}`,
      );
    }
    assert.ok(
      numRows <= (tile.tileClass === "decode" ? limits.decodeRows : limits.prefillRows),
      `tile ${item.tile} has ${numRows} rows`,
    );
    assert.ok(
      item.numKvHeads >= 1 && item.kvHeadBegin >= 0 && item.kvHeadBegin + item.numKvHeads <= numKvHeads,
      `KV heads of item ${i}`,
    );
    assert.ok(item.kvBegin >= 0 && item.kvBegin <= item.kvEnd && item.kvEnd <= tile.kvLen, `KV range of item ${i}`);
    const tokens = tokensOf(plan, tile);
    if (!item.needsMask) checkUnmasked(item.kvBegin, item.kvEnd, tile, tokens, config, i);
    for (let h = 0; h < item.numKvHeads; h++) {
      const firstRow = item.partialRow < 0 ? -1 : item.partialRow + h * numRows;
      if (firstRow >= 0) {
        assert.ok(
          firstRow + numRows <= plan.numPartialRows,
          `item ${i} writes workspace row ${firstRow + numRows - 1} of ${plan.numPartialRows}`,
        );
        for (let r = 0; r < numRows; r++) {
          assert.equal(partialRowsUsed[firstRow + r]++, 0, `workspace row ${firstRow + r} is written twice`);
        }
      }
      tokens.forEach(({ token, qoPos }, t) => {
        const request = requestOf(qoIndptr, token);
        assert.equal(qoPos, tables.kvLens[request] - qoIndptr[request + 1] + token, `position of token ${token}`);
        pieces[token * numKvHeads + item.kvHeadBegin + h].push({
          kvPosBegin: tile.kvPosBegin + item.kvBegin,
          kvPosEnd: tile.kvPosBegin + item.kvEnd,
          partialRow: firstRow < 0 ? -1 : firstRow + t * groupSize,
        });
      });
    }
    for (let kv = item.kvBegin; kv < item.kvEnd; kv += plan.pageSize - kv % plan.pageSize) {
      const page = pagesOf[tile.pageBegin + Math.floor(kv / plan.pageSize)];
      for (const { token } of tokens) {
        assert.equal(
          page,
          tables.pageAt(requestOf(qoIndptr, token), tile.kvPosBegin + kv),
          `page of KV token ${kv} of item ${i}`,
        );
      }
    }
  }
  assert.ok(partialRowsUsed.every((used) => used === 1), "a workspace row is counted and never written");
  checkCoverage(pieces, tables.kvLens, qoIndptr, config);
  checkMerges(plan, pieces, numKvHeads);
  checkMergesInKernel(plan);
  checkStarts(plan, ctaBegin, pagesOf);
}

function checkSections(
  {
    layout,
    numTiles,
    numWorkItems,
    numMerges,
    numPartials,
    numRowEntries,
    numPartialRows,
    maxPartialRows,
    numKvIndices,
  }: Plan,
): void {
  assert.ok(
    numTiles <= layout.maxTiles && numWorkItems <= layout.maxWorkItems && numMerges <= layout.maxMerges,
    "tiles, work items or merges pass their capacity",
  );
  assert.ok(
    numPartials <= layout.maxPartials && numRowEntries <= layout.maxRowEntries,
    "partials or row entries pass their capacity",
  );
  assert.ok(
    numPartialRows <= maxPartialRows && numKvIndices <= layout.maxKvIndices,
    "workspace rows or page ids pass their capacity",
  );
}

/** A launch does no more than it was told that there may be. */
function checkLaunch(plan: Plan): void {
  for (let i = 0; i < plan.numTiles; i++) {
    const { tileClass } = tileOfPlan(plan, i);
    assert.ok(
      (plan.tileClasses >> (tileClass === "decode" ? 0 : 1) & 1) === 1,
      `tile ${i}, ${tileClass}, is not launched`,
    );
  }
  for (let i = 0; i < plan.numMerges; i++) {
    assert.ok(plan.launchesMerges || mergeOfPlan(plan, i).inKernel, `merge ${i} is not launched`);
  }
  assert.ok(plan.splitsSms || plan.numShares === plan.limits.numCtas, "the SMs are split without leave");
}

/** What is said of a CTA's only item is what its tile and the page list say. */
function checkStarts(plan: Plan, ctaBegin: Int32Array, pages: Int32Array): void {
  const { words, layout, pageSize } = plan;
  for (let cta = 0; cta < layout.numStarts; cta++) {
    const at = layout.startsOffset + cta * CTA_START.words;
    if (words[at + CTA_START.numTokens] === 0) {
      assert.ok(words.subarray(at, at + CTA_START.words).every((word) => word === 0), `the start of CTA ${cta}`);
      continue;
    }
    assert.equal(ctaBegin[cta + 1] - ctaBegin[cta], 1, `items of CTA ${cta}, which has a start`);
    const item = workItemOfPlan(plan, ctaBegin[cta]);
    const tile = tileOfPlan(plan, item.tile);
    assert.ok(item.numKvHeads === 1 && item.kvBegin < item.kvEnd && !tile.gathered && tile.tileClass === "decode");
    const first = tile.pageBegin + Math.floor(item.kvBegin / pageSize);
    const last = tile.pageBegin + Math.floor((item.kvEnd - 1) / pageSize);
    assert.deepEqual(
      Array.from(words.subarray(at, at + CTA_START.words)),
      [
        tile.tokenBegin,
        tile.numTokens,
        tile.qoPosBegin,
        tile.pageBegin,
        ...Array.from({ length: 8 }, (_, i) => pages[Math.min(first + i, last)]),
      ],
      `the start of CTA ${cta}`,
    );
  }
}

function tokensOf(plan: Plan, tile: RowTileView): { token: number; qoPos: number }[] {
  return Array.from(
    { length: tile.numTokens },
    (_, t) =>
      tile.gathered
        ? rowEntryOfPlan(plan, tile.tokenBegin + t)
        : { token: tile.tokenBegin + t, qoPos: tile.qoPosBegin + t },
  );
}

function pageLists({ kvIndices, kvIndexCounts }: Plan): Int32Array {
  const total = kvIndexCounts.reduce((a, b) => a + b, 0);
  const pages = new Int32Array(total);
  let at = 0;
  kvIndices.forEach((list, i) => {
    pages.set(list.subarray(0, kvIndexCounts[i]), at);
    at += kvIndexCounts[i];
  });
  return pages;
}

/** What the batch says: KV length of each request, and the page of each of its KV positions. */
function levelTables(
  { qoIndptr, pages, levels }: AttentionProblem,
): { kvLens: Int32Array; pageAt: (request: number, kvPos: number) => number } {
  const all = levels ?? singleLevel(qoIndptr, pages!);
  const kvLens = levels === undefined
    ? Int32Array.from({ length: qoIndptr.length - 1 }, (_, r) => kvLen(pages!, r))
    : kvLensOfLevels(all, qoIndptr);
  /** Rows of each request, outermost level first. */
  const rows: { level: number; row: number; kvPosBegin: number; kvLen: number }[][] = Array.from({
    length: qoIndptr.length - 1,
  }, () => []);
  all.forEach(({ rowIndptr, rowIndices, pages }, level) => {
    for (let row = 0; row + 1 < rowIndptr.length; row++) {
      if (levels === undefined) {
        rows[row].push({ level, row, kvPosBegin: 0, kvLen: kvLen(pages, row) });
        continue;
      }
      for (let i = rowIndptr[row]; i < rowIndptr[row + 1]; i++) {
        const token = rowIndices === undefined ? i : rowIndices[i];
        const request = requestOf(qoIndptr, token);
        if (qoIndptr[request] !== token) continue;
        const before = rows[request].reduce((sum, entry) => sum + entry.kvLen, 0);
        rows[request].push({ level, row, kvPosBegin: before, kvLen: kvLen(pages, row) });
      }
    }
  });
  const pageAt = (request: number, kvPos: number): number => {
    const entry = rows[request].find(({ kvPosBegin, kvLen }) => kvPos >= kvPosBegin && kvPos < kvPosBegin + kvLen)!;
    const { pages } = all[entry.level];
    return pages.indices[pages.indptr[entry.row] + Math.floor((kvPos - entry.kvPosBegin) / pages.pageSize)];
  };
  return { kvLens, pageAt };
}

function requestOf(qoIndptr: Int32Array, token: number): number {
  let request = 0;
  while (qoIndptr[request + 1] <= token) request++;
  return request;
}

/** The KV positions that a query position may see, before a custom mask. */
function visibleRange(
  qoPos: number,
  kvLen: number,
  { causal, windowLeft, windowRight }: CheckedConfig,
): [begin: number, end: number] {
  let end = kvLen;
  if (causal) end = Math.min(end, qoPos + 1);
  if (windowRight >= 0) end = Math.min(end, qoPos + windowRight + 1);
  const begin = windowLeft >= 0 ? Math.max(0, qoPos - windowLeft) : 0;
  return begin < end ? [begin, end] : [0, 0];
}

function checkUnmasked(
  kvBegin: number,
  kvEnd: number,
  tile: RowTileView,
  tokens: { qoPos: number }[],
  config: CheckedConfig,
  item: number,
): void {
  if (kvBegin === kvEnd) return;
  assert.ok(tile.maskByteBegin < 0, `item ${item} says that it needs no mask, and its tile has one`);
  for (const { qoPos } of tokens) {
    const [begin, end] = visibleRange(qoPos, tile.kvPosBegin + tile.kvLen, config);
    assert.ok(
      tile.kvPosBegin + kvBegin >= begin && tile.kvPosBegin + kvEnd <= end,
      `item ${item} says that it needs no mask, and position ${qoPos} does not see all`,
    );
  }
}

/** The pieces of a (token, head) are disjoint and hold every visible position. */
function checkCoverage(pieces: Piece[][], kvLens: Int32Array, qoIndptr: Int32Array, config: CheckedConfig): void {
  const { numKvHeads } = config;
  pieces.forEach((list, index) => {
    const token = Math.floor(index / numKvHeads);
    const request = requestOf(qoIndptr, token);
    const [begin, end] = visibleRange(kvLens[request] - qoIndptr[request + 1] + token, kvLens[request], config);
    const sorted = list.filter((piece) => piece.kvPosBegin < piece.kvPosEnd).sort((a, b) =>
      a.kvPosBegin - b.kvPosBegin
    );
    let reached = begin;
    for (let i = 0; i < sorted.length; i++) {
      if (i > 0) {
        assert.ok(
          sorted[i].kvPosBegin >= sorted[i - 1].kvPosEnd,
          `token ${token} meets KV position ${sorted[i].kvPosBegin} twice`,
        );
      }
      if (sorted[i].kvPosBegin <= reached) reached = Math.max(reached, sorted[i].kvPosEnd);
    }
    assert.ok(reached >= end, `token ${token} of request ${request} misses KV position ${reached} of ${begin}..${end}`);
    assert.ok(list.length > 0, `token ${token} has no work item, so its output is never written`);
  });
}

/** The pieces that name a merge are those that it lists and counts, all of decode tiles; no other merge is named, and `launchesMerges` tells of those. */
function checkMergesInKernel(plan: Plan): void {
  const rowsOf = new Map<number, number[]>();
  for (let i = 0; i < plan.numWorkItems; i++) {
    const { merge, partialRow, tile, numKvHeads } = workItemOfPlan(plan, i);
    if (merge < 0) continue;
    assert.ok(merge < plan.numMerges && numKvHeads === 1, `item ${i} names merge ${merge} of ${plan.numMerges}`);
    assert.equal(tileOfPlan(plan, tile).tileClass, "decode", `item ${i} names a merge`);
    rowsOf.set(merge, [...rowsOf.get(merge) ?? [], partialRow]);
  }
  let launches = false;
  for (let i = 0; i < plan.numMerges; i++) {
    const { inKernel, partials } = mergeOfPlan(plan, i);
    assert.equal(plan.words[plan.layout.mergesOffset + i * MERGE_ITEM.words + MERGE_ITEM.arrivals], 0);
    const rows = (rowsOf.get(i) ?? []).toSorted((a, b) => a - b);
    assert.deepEqual(rows, inKernel ? partials : [], `pieces that name merge ${i}`);
    launches ||= !inKernel;
  }
  assert.ok(plan.launchesMerges || !launches, "merges need a launch, and the plan does not say so");
  assert.ok(plan.hasFixedCapacity || plan.launchesMerges === launches, "the plan says that merges need a launch");
}

/** One final piece, or partials that one merge lists: no more, no less, in rising order of KV position. */
function checkMerges(plan: Plan, pieces: Piece[][], numKvHeads: number): void {
  const merged = new Map<number, number[]>();
  for (let i = 0; i < plan.numMerges; i++) {
    const { tokenBegin, numTokens, kvHead, partials } = mergeOfPlan(plan, i);
    for (let t = 0; t < numTokens; t++) {
      const index = (tokenBegin + t) * numKvHeads + kvHead;
      assert.ok(!merged.has(index), `token ${tokenBegin + t}, KV head ${kvHead} is merged twice`);
      merged.set(index, partials.map((row) => row + t * plan.groupSize));
    }
  }
  pieces.forEach((list, index) => {
    const finals = list.filter(({ partialRow }) => partialRow < 0);
    if (finals.length > 0) {
      assert.ok(
        finals.length === 1 && list.length === 1 && !merged.has(index),
        `token ${Math.floor(index / numKvHeads)} is written more than once`,
      );
      return;
    }
    const rows = list.sort((a, b) => a.kvPosBegin - b.kvPosBegin).map(({ partialRow }) => partialRow);
    assert.deepEqual(
      merged.get(index),
      rows,
      `partials of token ${Math.floor(index / numKvHeads)}, KV head ${index % numKvHeads}`,
    );
  });
}

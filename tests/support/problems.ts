/** Random batches for the planner, for fast-check and for soaks. */
import type { KvLevel } from "../../src/formats/levels.ts";
import { type PageTable, pageTableFromLists } from "../../src/formats/page_table.ts";
import { indptrOf } from "../../src/formats/ragged.ts";
import type { AttentionProblem } from "../../src/planner/problem.ts";
import type { Random } from "./random.ts";

/** A batch of single-level requests with page ids in random order. */
export function plainProblem(
  random: Random,
  qoLens: readonly number[],
  kvLens: readonly number[],
  pageSize: number,
  maskShare = 0,
): AttentionProblem {
  const qoIndptr = indptrOf(qoLens);
  const pages = randomTable(random, kvLens, pageSize);
  if (maskShare === 0) return { qoIndptr, pages };
  const maskBytes = kvLens.map((kvLen, r) => random.next() < maskShare ? Math.ceil(kvLen * qoLens[r] / 8) : 0);
  return { qoIndptr, pages, maskIndptr: indptrOf(maskBytes) };
}

/** The same requests with the KV in levels: each level groups the requests at random, in random order, and some are in no group. */
export function composedProblem(
  random: Random,
  qoLens: readonly number[],
  numLevels: number,
  maxKvLen: number,
  pageSize: number,
): AttentionProblem {
  const qoIndptr = indptrOf(qoLens);
  const levels: KvLevel[] = [];
  for (let l = 0; l < numLevels; l++) {
    const order = qoLens.map((_, r) => r).filter(() => random.next() < 0.85);
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(0, i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    const rowLens: number[] = [];
    const rowIndices: number[] = [];
    const kvLens: number[] = [];
    for (let i = 0; i < order.length;) {
      const count = Math.min(order.length - i, random.integer(1, l === numLevels - 1 ? 1 : 6));
      let numTokens = 0;
      for (let j = 0; j < count; j++) {
        const request = order[i + j];
        for (let token = qoIndptr[request]; token < qoIndptr[request + 1]; token++) rowIndices.push(token);
        numTokens += qoLens[request];
      }
      rowLens.push(numTokens);
      kvLens.push(random.integer(0, maxKvLen));
      i += count;
    }
    levels.push({
      rowIndptr: indptrOf(rowLens),
      rowIndices: Int32Array.from(rowIndices),
      pages: randomTable(random, kvLens, pageSize),
    });
  }
  return { qoIndptr, levels };
}

function randomTable(random: Random, kvLens: readonly number[], pageSize: number): PageTable {
  return pageTableFromLists(
    kvLens.map((kvLen) => Int32Array.from({ length: Math.ceil(kvLen / pageSize) }, () => random.integer(0, 9999))),
    kvLens,
    pageSize,
  );
}

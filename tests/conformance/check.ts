/** Compares what a backend wrote with the oracle: positions of NaN and infinities first, then errors against derived bounds. */
import assert from "node:assert/strict";
import { attendRow, type OracleBatch, visibleRange } from "../support/oracle.ts";
import type { Random } from "../support/random.ts";
import { type Arithmetic, lseTolerance, outTolerance } from "../support/tolerance.ts";
import type { Device } from "../../mod.ts";
import type { AttentionCase } from "./cases.ts";
import { FP8_PREFILL_HEAD_DIMS } from "./fp8_cases.ts";
import type { Result } from "./run.ts";

/** Multiply-adds that the oracle may spend on one case; beyond, it computes a sample of rows, some of every request. */
const ORACLE_WORK = 3e7;

/** How the device computes a case. */
export function arithmeticOf(attention: AttentionCase, device: Device): Arithmetic {
  const { qDtype, dtype, headDim, logitsSoftCap = 0 } = attention;
  const isInFp8 = qDtype === "e4m3" && device.kind === "cuda" && device.facts.computeCapability === 90 &&
    FP8_PREFILL_HEAD_DIMS.includes(headDim);
  return { dtype, logitsSoftCap, fp8HeadDim: isInFp8 ? headDim : undefined };
}

/** Throws unless the result is right. */
export function checkResult(batch: OracleBatch, arithmetic: Arithmetic, { out, lse }: Result, random: Random): void {
  checkEmptyRows(batch, out, lse);
  for (const [request, row, head] of rowsToCompute(batch, random)) {
    compareRow(batch, arithmetic, out, lse, request, row, head);
  }
}

/** Every row was written, and the rows that see nothing, and only those, are 0 with LSE -Infinity. */
function checkEmptyRows(batch: OracleBatch, out: Float32Array, lse: Float32Array | undefined): void {
  const { numKvHeads, groupSize, headDimVo, qoIndptr } = batch;
  const numQoHeads = numKvHeads * groupSize;
  for (let r = 0; r + 1 < qoIndptr.length; r++) {
    for (let row = 0; row < qoIndptr[r + 1] - qoIndptr[r]; row++) {
      const isEmpty = !seesAny(batch, r, row);
      const token = qoIndptr[r] + row;
      for (let head = 0; head < numQoHeads; head++) {
        const where = `request ${r} (${batch.slots[r].length} keys), query ${row}, head ${head}`;
        const at = (token * numQoHeads + head) * headDimVo;
        for (let d = 0; d < headDimVo; d++) {
          const value = out[at + d];
          if (!Number.isFinite(value)) assert.fail(`out is ${value} at ${where}, element ${d}`);
          if (isEmpty && value !== 0) assert.fail(`out is ${value} at ${where}, element ${d}, which sees nothing`);
        }
        if (lse === undefined) continue;
        const value = lse[token * numQoHeads + head];
        if (isEmpty ? value !== -Infinity : !Number.isFinite(value)) {
          assert.fail(`lse is ${value} at ${where}, which sees ${isEmpty ? "nothing" : "keys"}`);
        }
      }
    }
  }
}

function seesAny(batch: OracleBatch, request: number, row: number): boolean {
  const [begin, end] = visibleRange(batch, request, row);
  const mask = batch.masks?.[request] ?? null;
  if (mask === null) return end > begin;
  const at = row * batch.slots[request].length;
  for (let t = begin; t < end; t++) if (mask[at + t] !== 0) return true;
  return false;
}

/** All rows if they are few, else at least one of each request, and more as long as there is budget. */
function rowsToCompute(batch: OracleBatch, random: Random): [request: number, row: number, head: number][] {
  const { qoIndptr, numKvHeads, groupSize, headDimQk, headDimVo } = batch;
  const numQoHeads = numKvHeads * groupSize;
  const costOf = (r: number): number => (batch.slots[r].length + 1) * (headDimQk + headDimVo);
  const requests = Array.from({ length: qoIndptr.length - 1 }, (_, r) => r).filter((r) =>
    qoIndptr[r + 1] > qoIndptr[r]
  );
  const total = requests.reduce((sum, r) => sum + costOf(r) * (qoIndptr[r + 1] - qoIndptr[r]) * numQoHeads, 0);
  const rows: [number, number, number][] = [];
  if (total <= ORACLE_WORK) {
    for (const r of requests) {
      for (let row = 0; row < qoIndptr[r + 1] - qoIndptr[r]; row++) {
        for (let head = 0; head < numQoHeads; head++) rows.push([r, row, head]);
      }
    }
    return rows;
  }
  let budget = ORACLE_WORK;
  for (let round = 0; requests.length > 0 && (round === 0 || budget > 0); round++) {
    for (const r of requests) {
      if (round > 0 && budget <= 0) break;
      const last = qoIndptr[r + 1] - qoIndptr[r] - 1;
      const row = random.pick([0, last, random.integer(0, last), random.integer(0, last)]);
      rows.push([r, row, random.integer(0, numQoHeads - 1)]);
      budget -= costOf(r);
    }
  }
  return rows;
}

function compareRow(
  batch: OracleBatch,
  arithmetic: Arithmetic,
  out: Float32Array,
  lse: Float32Array | undefined,
  request: number,
  row: number,
  head: number,
): void {
  const { numKvHeads, groupSize, headDimVo, qoIndptr } = batch;
  const expected = attendRow(batch, request, row, head);
  const index = (qoIndptr[request] + row) * numKvHeads * groupSize + head;
  const where = `request ${request} (${
    batch.slots[request].length
  } keys, ${expected.numVisible} visible), query ${row} of ${qoIndptr[request + 1] - qoIndptr[request]}, head ${head}`;
  for (let d = 0; d < headDimVo; d++) {
    const got = out[index * headDimVo + d];
    const tolerance = outTolerance(expected, d, arithmetic);
    if (!(Math.abs(got - expected.out[d]) <= tolerance)) {
      assert.fail(`out is ${got} at ${where}, element ${d}; expected ${expected.out[d]} within ${tolerance}`);
    }
  }
  if (lse === undefined || expected.lse === -Infinity) return;
  const tolerance = lseTolerance(expected, arithmetic);
  if (!(Math.abs(lse[index] - expected.lse) <= tolerance)) {
    assert.fail(`lse is ${lse[index]} at ${where}; expected ${expected.lse} within ${tolerance}`);
  }
}

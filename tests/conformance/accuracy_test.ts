/**
 * What storing K and V in fewer bits costs: attention from a cache of each dtype, compared with f64 attention over K and V that were never
 * rounded. Conformance says that a backend computes right with what is stored; this says how far that is from what was given: 0.3 % with bf16,
 * 3.6 % with e4m3, 7.1 % with e5m2 on normal numbers; and 4.4 % with queries of e4m3 too, 5.1 % where the weights are e4m3 as well (prefill on
 * Hopper).
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { BatchAttention, type Device, type DType, indptrOf, PagedKvCache } from "../../mod.ts";
import { isFp8 } from "../../src/device/dtype.ts";
import { onEveryBackend } from "../support/backends.ts";
import { hasFp8 } from "../support/fp8.ts";
import { rounded } from "../support/matrix.ts";
import { attendRow } from "../support/oracle.ts";
import { Random } from "../support/random.ts";

const [numKvHeads, groupSize, headDim] = [4, 4, 128];
const kvLens = [200, 700, 65];
const qoLens = [1, 3, 20];

/**
 * Rounding to a mantissa of m bits is off by a uniform error of up to half a last digit, which is 2^-m of a number that begins with 1 and half that of
 * one that begins with 2: root mean square 2^-m * sqrt(1 / 24). Errors of V reach the output as V does; errors of K are errors of the scores, whose size
 * is 1 here, and so errors of the weights, as large again. bf16 also rounds weights and output.
 */
const MANTISSA_BITS: Readonly<Partial<Record<DType, number>>> = { bf16: 7, e4m3: 3, e5m2: 2 };
const MARGIN = 1.3;

/** `others`: how many of q and the weights are rounded to `kvDtype` too. */
function expectedError(kvDtype: DType, others: number): number {
  const roundings = (bits: number): number => 4 ** -bits / 24;
  return Math.sqrt((2 + others) * roundings(MANTISSA_BITS[kvDtype]!) + 2 * roundings(7));
}

/** Root mean square error, relative to the root mean square of the exact output. */
async function measureError(device: Device, kvDtype: DType, qDtype: DType): Promise<number> {
  const random = new Random(5);
  const [qoIndptr, kvIndptr] = [indptrOf(qoLens), indptrOf(kvLens)];
  const [numTokens, numKeys] = [qoIndptr[qoLens.length], kvIndptr[kvLens.length]];
  const numQoHeads = numKvHeads * groupSize;
  const qNormals = random.normals(numTokens * numQoHeads * headDim);
  const qValues = isFp8(qDtype) ? qNormals : rounded("bf16", qNormals);
  const kValues = random.normals(numKeys * numKvHeads * headDim);
  // Values far from FP8's range: the scale brings them there.
  const vValues = random.normals(numKeys * numKvHeads * headDim, 1e-4);
  const scaleOf = (values: Float32Array): number => {
    const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    return isFp8(kvDtype) ? largest / (kvDtype === "e4m3" ? 448 : 57344) : 1;
  };
  using cache = new PagedKvCache(device, {
    numPages: 70,
    pageSize: 16,
    numKvHeads,
    headDim,
    dtype: kvDtype,
    kScale: scaleOf(kValues),
    vScale: scaleOf(vValues),
  });
  const rowsDtype = isFp8(kvDtype) ? "f32" : kvDtype;
  using k = device.fromArray(kValues, rowsDtype, [numKeys, numKvHeads, headDim]);
  using v = device.fromArray(vValues, rowsDtype, [numKeys, numKvHeads, headDim]);
  const sequences = kvLens.map(() => cache.createSequence());
  cache.append(sequences, { k, v, indptr: kvIndptr });
  const qScale = isFp8(qDtype) ? scaleOf(qValues) : 1;
  using q = device.fromArray(qValues.map((value) => value / qScale), qDtype, [numTokens, numQoHeads, headDim]);
  using attention = new BatchAttention(device, {
    numQoHeads,
    numKvHeads,
    headDim,
    dtype: "bf16",
    kvDtype,
    qDtype,
    causal: true,
  });
  attention.plan({ qoIndptr, pages: cache.pageTable(sequences) });
  using out = attention.run({ q, qScale, cache });
  const found = await out.read();
  const exact = {
    q: qValues,
    k: kValues,
    v: vValues,
    qoIndptr,
    slots: kvLens.map((kvLen, r) => Int32Array.from({ length: kvLen }, (_, t) => kvIndptr[r] + t)),
    numKvHeads,
    groupSize,
    headDimQk: headDim,
    headDimVo: headDim,
    causal: true,
    windowLeft: -1,
    windowRight: -1,
    smScale: 1 / Math.sqrt(headDim),
    logitsSoftCap: 0,
  };
  let [errors, squares] = [0, 0];
  for (let r = 0; r < qoLens.length; r++) {
    for (let row = 0; row < qoLens[r]; row++) {
      for (let head = 0; head < numQoHeads; head++) {
        const want = attendRow(exact, r, row, head).out;
        const at = ((qoIndptr[r] + row) * numQoHeads + head) * headDim;
        for (let d = 0; d < headDim; d++) {
          errors += (found[at + d] - want[d]) ** 2;
          squares += want[d] ** 2;
        }
      }
    }
  }
  return Math.sqrt(errors / squares);
}

onEveryBackend("accuracy of attention from caches of few bits", (device) => {
  it("is what rounding of K and V costs, and no more", async () => {
    const found: string[] = [];
    const weightsToo = device().kind === "cuda" && device().facts.computeCapability === 90;
    for (
      const [kvDtype, qDtype] of [["bf16", "bf16"], ["e4m3", "bf16"], ["e5m2", "bf16"], ["e4m3", "e4m3"]] as const
    ) {
      if (isFp8(kvDtype) && !hasFp8(device(), kvDtype)) continue;
      const others = qDtype === "e4m3" ? 1 + Number(weightsToo) : 0;
      const [error, expected] = [await measureError(device(), kvDtype, qDtype), expectedError(kvDtype, others)];
      found.push(`${kvDtype} beside ${qDtype} ${(100 * error).toFixed(2)} %`);
      assert.ok(
        error < MARGIN * expected && error > expected / (2 * MARGIN),
        `relative RMS error of ${found.join(", ")}; the last should be near ${(100 * expected).toFixed(2)} %`,
      );
    }
  });
});

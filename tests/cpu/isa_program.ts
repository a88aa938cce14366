/** Run by isa_test.ts: the cases of one instruction set, compared with f64. Fails by exception. */
import {
  argmax,
  BatchAttention,
  type Device,
  type DType,
  linear,
  openDevice,
  packCustomMask,
  PagedKvCache,
  pageTable,
  rmsNorm,
  rope,
  siluAndMul,
} from "../../mod.ts";
import { fromFp8, toFp8 } from "../../src/device/dtype.ts";
import { buildBatch } from "../conformance/batch.ts";
import type { AttentionCase } from "../conformance/cases.ts";
import { arithmeticOf, checkResult } from "../conformance/check.ts";
import { PLAIN_VARIANT, runBatch } from "../conformance/run.ts";
import { assertClose, FLOAT_DTYPES, matrix } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { rotateHead } from "../support/rotate.ts";
import { type FloatDType, ROUNDING, roundingOf } from "../support/tolerance.ts";

let numCases = 0;

/** Of q, and of K and V: each element type meets each form of attention. */
const DTYPE_PAIRS: readonly (readonly [dtype: FloatDType, kvDtype: DType | undefined])[] = [
  ...FLOAT_DTYPES.map((dtype) => [dtype, undefined] as const),
  ["bf16", "e4m3"],
  ["bf16", "e5m2"],
  ["f16", "e4m3"],
  ["f32", "e5m2"],
];

/** Rows a KV head at the edges of the forms (8 rows, panels of 4, 8 and 16), KV lengths at those of blocks. */
function attentionCases(): AttentionCase[] {
  const cases: AttentionCase[] = [];
  for (const [dtype, kvDtype] of DTYPE_PAIRS) {
    const scales = kvDtype === undefined ? undefined : "heads";
    const plain = { name: "", pageSize: 16, numKvHeads: 2, groupSize: 1, headDim: 64, kvDtype, scales } as const;
    for (const groupSize of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 31, 33, 64]) {
      cases.push({ ...plain, dtype, groupSize, qoLens: [1, 1], kvLens: [61 + groupSize, 3] });
    }
    for (const kvLen of [1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 127, 128, 129, 700]) {
      cases.push({ ...plain, dtype, groupSize: 3, pageSize: 5, qoLens: [1], kvLens: [kvLen] });
      cases.push({ ...plain, dtype, groupSize: 4, pageSize: 7, qoLens: [kvLen], kvLens: [kvLen], causal: true });
    }
    for (const [headDim, headDimVo] of [[64, 64], [96, 96], [128, 128], [192, 192], [256, 256], [192, 128]]) {
      for (const kvLayout of ["NHD", "HND"] as const) {
        const shape = { ...plain, dtype, headDim, headDimVo, kvLayout, groupSize: 2 };
        cases.push({ ...shape, qoLens: [1, 50], kvLens: [200, 130], causal: true });
        cases.push({ ...shape, qoLens: [2, 70], kvLens: [90, 75], windowLeft: 20, windowRight: 3, logitsSoftCap: 5 });
        cases.push({ ...shape, qoLens: [3, 40], kvLens: [100, 140], maskDensity: 0.3, logitsSoftCap: 30 });
      }
    }
    // Extreme logits. In f32 less so: weights that only a subnormal float holds may be 0, and so with FP8, whose large values may all be 0.
    const magnitude = dtype === "f32" || kvDtype !== undefined ? 4 : 30;
    cases.push({ ...plain, dtype, groupSize: 4, qoLens: [1, 30], kvLens: [300, 90], magnitude, causal: true });
    cases.push({ ...plain, dtype, groupSize: 5, qoLens: [1, 60], kvLens: [90, 20], causal: true, numKvHeads: 20 });
  }
  return cases;
}

async function testAttention(device: Device, owner: Device): Promise<void> {
  for (const [i, attention] of attentionCases().entries()) {
    const batch = buildBatch(attention, i);
    const result = await runBatch(device, owner, attention, batch, PLAIN_VARIANT);
    try {
      checkResult(batch.oracle, arithmeticOf(attention, device), result, new Random(i));
    } catch (error) {
      throw new Error(`${JSON.stringify(attention)}: ${(error as Error).message}`);
    }
    numCases++;
  }
}

/** A key and a value that a mask hides from some rows are NaN: those rows must not see it, the others must. */
async function testHiddenNaN(device: Device): Promise<void> {
  const [headDim, kvLen] = [64, 70];
  for (const [dtype, kvDtype = dtype] of DTYPE_PAIRS) {
    for (const numTokens of [1, 3, 40]) {
      const random = new Random(numTokens);
      const place = (values: Float32Array): Float32Array => {
        values.fill(NaN, 9 * headDim, 10 * headDim);
        return values;
      };
      using q = device.fromArray(random.normals(numTokens * headDim), dtype, [numTokens, 1, headDim]);
      using k = device.fromArray(place(random.normals(kvLen * headDim)), kvDtype, [1, kvLen, 1, headDim]);
      using v = device.fromArray(place(random.normals(kvLen * headDim)), kvDtype, [1, kvLen, 1, headDim]);
      using attention = new BatchAttention(device, { numQoHeads: 1, numKvHeads: 1, headDim, dtype, kvDtype });
      const bits = new Uint8Array(numTokens * kvLen).fill(1);
      for (let row = 0; row < numTokens; row++) bits[row * kvLen + 9] = 0;
      attention.plan({
        qoIndptr: [0, numTokens],
        pages: pageTable({ indptr: [0, 1], indices: [0], lastPageLen: [kvLen], pageSize: kvLen }),
        customMask: packCustomMask([bits]),
      });
      using out = attention.run({ q, cache: { k, v } });
      const found = await out.read();
      if (!found.every(Number.isFinite)) {
        throw new Error(`A hidden NaN was seen (${dtype}, ${kvDtype}, ${numTokens} tokens).`);
      }
      numCases++;
    }
  }
}

/**
 * All codes of FP8, read and written. One key is seen, so that the output is its value: every finite code must come out as it is, by the form
 * of few rows and by that of many; a code that is not finite as NaN. And the codes of append are those of the host's conversion.
 */
async function testCodes(device: Device): Promise<void> {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
  for (const [dtype, kvDtype] of DTYPE_PAIRS) {
    if (kvDtype !== "e4m3" && kvDtype !== "e5m2") continue;
    const values = fromFp8(kvDtype, codes);
    using k = device.tensor([1, 1, 4, 64], kvDtype);
    k.fillBytes(0);
    using v = device.fromArray(codes, kvDtype, [1, 1, 4, 64]);
    for (const numTokens of [1, 40]) {
      using q = device.fromArray(new Float32Array(numTokens * 4 * 64), dtype, [numTokens, 4, 64]);
      using attention = new BatchAttention(device, { numQoHeads: 4, numKvHeads: 4, headDim: 64, dtype, kvDtype });
      const pages = pageTable({ indptr: [0, 1], indices: [0], lastPageLen: [1], pageSize: 1 });
      attention.plan({ qoIndptr: [0, numTokens], pages });
      using out = attention.run({ q, cache: { k, v } });
      const found = await out.read();
      for (let i = 0; i < found.length; i++) {
        const want = Number.isFinite(values[i % 256]) ? values[i % 256] : NaN;
        // 0 times a weight and a sum may lose its sign.
        if (!Object.is(found[i] + 0, want + 0) && Number.isFinite(values[i % 256])) {
          throw new Error(`Code ${i % 256} of ${kvDtype} was read as ${found[i]} (${dtype}, ${numTokens} tokens).`);
        }
        if (Number.isNaN(values[i % 256]) && !Number.isNaN(found[i])) {
          throw new Error(
            `Code ${i % 256} of ${kvDtype}, NaN, was read as ${found[i]} (${dtype}, ${numTokens} tokens).`,
          );
        }
      }
    }
    numCases++;
  }
  for (const kvDtype of ["e4m3", "e5m2"] as const) {
    const values = fromFp8(kvDtype, codes).filter(Number.isFinite).sort();
    const inputs = [NaN, Infinity, -Infinity, 1e30, -1e30, 464, 480, 65000, 1e-30, -0];
    for (let i = 1; i < values.length; i++) {
      const middle = (values[i - 1] + values[i]) / 2;
      const bits = new Uint32Array(Float32Array.of(middle).buffer)[0];
      inputs.push(middle, ...new Float32Array(Uint32Array.of(bits - 1, bits + 1).buffer), values[i]);
    }
    while (inputs.length % 64 !== 0) inputs.push(0);
    const numTokens = inputs.length / 64;
    using cache = new PagedKvCache(device, {
      numPages: numTokens,
      pageSize: 1,
      numKvHeads: 1,
      headDim: 64,
      dtype: kvDtype,
    });
    using rows = device.fromArray(inputs, "f32", [numTokens, 1, 64]);
    const chat = cache.createSequence();
    cache.append([chat], { k: rows, v: rows });
    const want = toFp8(kvDtype, inputs);
    for (const tensor of [cache.layer(0).k, cache.layer(0).v]) {
      const found = await tensor.readRaw();
      inputs.forEach((input, i) => {
        const got = found[chat.pages[i >> 6] * 64 + i % 64];
        if (got !== want[i]) throw new Error(`${input} was stored as ${got} of ${kvDtype}, not as ${want[i]}.`);
      });
    }
    numCases++;
  }
}

const OUTPUTS = [1, 3, 4, 5, 8, 9, 15, 17, 33, 64, 70, 129];
const INPUTS = [1, 2, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 130, 577];

/** Every number of tokens up to past all register tiles, with sizes at the edges of vectors. */
async function testLinear(device: Device): Promise<void> {
  const random = new Random(5);
  for (const dtype of FLOAT_DTYPES) {
    for (const m of [...Array.from({ length: 20 }, (_, i) => i + 1), 31, 32, 33, 47, 48, 49, 63, 65, 96, 100, 210]) {
      for (const outDtype of dtype === "f32" ? [dtype] : [dtype, "f32" as FloatDType]) {
        const [n, k] = [random.pick(OUTPUTS), random.pick(INPUTS)];
        using x = matrix(device, [m, k], dtype, random.pick([0, 3]), random.normals(m * k));
        using weight = matrix(device, [n, k], dtype, 0, random.normals(n * k));
        using bias = matrix(device, [1, n], dtype, 0, random.normals(n, 4));
        using out = matrix(device, [m, n], outDtype, random.pick([0, 5]));
        const hasBias = random.next() < 0.5;
        linear({
          x: x.tensor,
          weight: weight.tensor,
          bias: hasBias ? bias.tensor.reshape([n]) : undefined,
          out: out.tensor,
        });
        const want = new Float64Array(m * n);
        const size = new Float64Array(m * n);
        for (let i = 0; i < m * n; i++) {
          const [row, column] = [Math.floor(i / n), i % n];
          want[i] = hasBias ? bias.content[column] : 0;
          size[i] = Math.abs(want[i]);
          for (let j = 0; j < k; j++) {
            const product = x.content[row * k + j] * weight.content[column * k + j];
            want[i] += product;
            size[i] += Math.abs(product);
          }
        }
        const tolerance = (i: number): number => 1.01 * roundingOf(outDtype, want[i]) + 32 * 2 ** -24 * size[i];
        assertClose(await out.read(), want, tolerance, `linear ${dtype} to ${outDtype} m=${m} n=${n} k=${k}`);
        numCases++;
      }
    }
  }
}

async function testRows(device: Device): Promise<void> {
  const random = new Random(6);
  for (const dtype of FLOAT_DTYPES) {
    for (const dim of [1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 576]) {
      const rows = 3;
      const size = [rows, dim] as const;
      using x = matrix(device, size, dtype, 1, random.normals(rows * dim, 3));
      using weight = matrix(device, [1, dim], dtype, 0, random.normals(dim));
      using normed = matrix(device, size, dtype, 2);
      rmsNorm({ x: x.tensor, weight: weight.tensor.reshape([dim]), eps: 1e-5, out: normed.tensor });
      const want = new Float64Array(rows * dim);
      for (let row = 0; row < rows; row++) {
        const part = x.content.subarray(row * dim, (row + 1) * dim);
        const scale = 1 / Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / dim + 1e-5);
        part.forEach((value, i) => want[row * dim + i] = value * scale * weight.content[i]);
      }
      const near = (i: number): number => 1.01 * roundingOf(dtype, want[i]) + 2 ** -20 * Math.abs(want[i]);
      assertClose(await normed.read(), want, near, `rmsNorm ${dtype} dim=${dim}`);

      using both = matrix(device, [rows, 2 * dim], dtype, 1, random.normals(rows * 2 * dim, 4));
      using activated = matrix(device, size, dtype, 1);
      siluAndMul({ x: both.tensor, out: activated.tensor });
      for (let i = 0; i < rows * dim; i++) {
        const at = Math.floor(i / dim) * 2 * dim + i % dim;
        const gate = both.content[at];
        want[i] = gate / (1 + Math.exp(-gate)) * both.content[at + dim];
      }
      assertClose(await activated.read(), want, near, `siluAndMul ${dtype} dim=${dim}`);
      numCases += 2;
    }
    for (const rotaryDim of [2, 6, 8, 16, 22, 30, 32, 34, 64, 96, 128]) {
      for (const interleaved of [false, true]) {
        const [numTokens, numHeads, headDim] = [4, 2, 128];
        const invFreq = Float32Array.from({ length: rotaryDim / 2 }, (_, i) => 10000 ** (-2 * i / rotaryDim));
        const positions = Int32Array.from([0, 1, 4097, 1_000_003]);
        using x = device.fromArray(random.normals(numTokens * numHeads * headDim), dtype, [
          numTokens,
          numHeads,
          headDim,
        ]);
        using frequencies = device.fromArray(invFreq, "f32");
        using places = device.fromArray(positions, "i32");
        const before = Float32Array.from(await x.read());
        rope({ x, positions: places, invFreq: frequencies, interleaved });
        const after = await x.read();
        for (let head = 0; head < numTokens * numHeads; head++) {
          const [begin, end] = [head * headDim, (head + 1) * headDim];
          const position = positions[Math.floor(head / numHeads)];
          const { out, size } = rotateHead(before.subarray(begin, end), invFreq, position, interleaved);
          const tolerance = (i: number): number => 1.01 * ROUNDING[dtype] * Math.abs(out[i]) + 2 ** -21 * size[i];
          assertClose(
            after.subarray(begin, end),
            out,
            tolerance,
            `rope ${dtype} rotaryDim=${rotaryDim} at ${position}`,
          );
        }
        numCases++;
      }
    }
    for (const vocab of [1, 2, 7, 16, 63, 64, 65, 130, 1000]) {
      const logits = random.normals(5 * vocab);
      logits.fill(NaN, vocab, 2 * vocab);
      logits[2 * vocab + random.integer(0, vocab - 1)] = NaN;
      logits[3 * vocab + vocab - 1] = Infinity;
      using tensor = matrix(device, [5, vocab], dtype, 3, logits);
      const want = Array.from({ length: 5 }, (_, row) => {
        let best = 0;
        const at = (i: number): number => {
          const value = tensor.content[row * vocab + i];
          return Number.isNaN(value) ? -Infinity : value;
        };
        for (let i = 1; i < vocab; i++) if (at(i) > at(best)) best = i;
        return best;
      });
      using found = argmax({ logits: tensor.tensor });
      assertClose(await found.read(), want, () => 0, `argmax ${dtype} of ${vocab}`);
      numCases++;
    }
  }
}

using device = await openDevice({ backend: "cpu", numThreads: 2 });
using owner = await openDevice({ backend: "cpu", numThreads: 1 });
await testAttention(device, owner);
await testHiddenNaN(device);
await testCodes(device);
await testLinear(device);
await testRows(device);
console.log(`level ${device.facts.computeCapability}: ${numCases} cases`);

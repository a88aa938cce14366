/** Matrices on a device with gaps between their rows, so that an operation that ignores a stride or writes too far is caught. */
import assert from "node:assert/strict";
import type { Device, DType, RawArray, Tensor } from "../../mod.ts";
import { fromRaw, rawArray, toRaw } from "../../src/device/dtype.ts";
import type { FloatDType } from "./tolerance.ts";

/** Every floating dtype. */
export const FLOAT_DTYPES: readonly FloatDType[] = ["f32", "f16", "bf16"];

/** Rows on a device, and what was put there. */
export interface Matrix extends Disposable {
  /** [numRows, numCols], with `gap` elements between rows. */
  tensor: Tensor;
  /** The content as the device sees it: rounded to the dtype. */
  content: Float32Array;
  /** [numRows, numCols] as numbers; asserts that the gaps are as they were. */
  read(): Promise<Float32Array>;
  /** The same as stored. */
  readRaw(): Promise<RawArray>;
}

/** Numbers rounded to a dtype. */
export function rounded(dtype: FloatDType, values: ArrayLike<number>): Float32Array {
  return fromRaw(dtype, toRaw(dtype, values) as RawArray) as Float32Array;
}

/** Makes a matrix. Without `values` it is NaN everywhere: memory that an operation is to write. */
export function matrix(
  device: Device,
  [numRows, numCols]: readonly [number, number],
  dtype: DType,
  gap: number,
  values?: ArrayLike<number>,
): Matrix {
  const stride = numCols + gap;
  const raw = rawArray(dtype, numRows * stride);
  new Uint8Array(raw.buffer).fill(0xff);
  const source = values === undefined ? undefined : toRaw(dtype, values);
  for (let row = 0; row < numRows && source !== undefined; row++) {
    raw.set(source.subarray(row * numCols, (row + 1) * numCols) as RawArray, row * stride);
  }
  const backing = device.fromArray(raw, dtype);
  const readRaw = async (): Promise<RawArray> => {
    const found = await backing.readRaw();
    const rows = rawArray(dtype, numRows * numCols);
    for (let row = 0; row < numRows; row++) {
      rows.set(found.subarray(row * stride, row * stride + numCols) as RawArray, row * numCols);
      new Uint8Array(found.buffer).fill(
        0xff,
        row * stride * found.BYTES_PER_ELEMENT,
        (row * stride + numCols) * found.BYTES_PER_ELEMENT,
      );
    }
    assert.ok(new Uint8Array(found.buffer).every((byte) => byte === 0xff), "memory between rows was written");
    return rows;
  };
  return {
    tensor: backing.view([numRows, numCols], [stride, 1]).slice(0, numRows),
    content: source === undefined ? new Float32Array(0) : fromRaw(dtype, source as RawArray) as Float32Array,
    readRaw,
    read: async () => fromRaw(dtype, await readRaw()) as Float32Array,
    [Symbol.dispose]: () => backing.dispose(),
  };
}

/** Throws unless every number is within its tolerance; a NaN or an infinity must be met by the same. */
export function assertClose(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  toleranceOf: (index: number) => number,
  what: string,
): void {
  assert.equal(got.length, expected.length, `${what}: length`);
  for (let i = 0; i < got.length; i++) {
    if (Object.is(got[i], expected[i]) || got[i] === expected[i]) continue;
    const tolerance = toleranceOf(i);
    if (!(Math.abs(got[i] - expected[i]) <= tolerance)) {
      assert.fail(`${what}: element ${i} is ${got[i]}, expected ${expected[i]} within ${tolerance}`);
    }
  }
}

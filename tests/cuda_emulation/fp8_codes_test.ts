/** FP8 as GPUs without instructions for it compute it (native/cuda/parts/fp8_codes.cuh), and as the emulation has it, against `toFp8` and `fromFp8`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, describe, it } from "node:test";
import { type Fp8DType, fromFp8, toFp8 } from "../../src/device/dtype.ts";
import { FP8_DTYPES } from "../support/fp8.ts";
import { RUNTIME } from "../support/subprocess.ts";
import { buildFp8Codes } from "./build.ts";
import { whyNotHere } from "./where.ts";

/** Of every sign and exponent of f32, NaN and infinity too: mantissas of nine bits, and what lies beside them. */
function numbers(): Float32Array<ArrayBuffer> {
  const bits: number[] = [];
  for (let top = 0; top < 2 ** 18; top++) {
    const middle = top * 2 ** 14;
    bits.push(middle, middle + 1, middle + 2 ** 14 - 1);
  }
  return new Float32Array(Uint32Array.from(bits).buffer);
}

// The runtime of the test has nothing to do with it.
const skip = whyNotHere() ?? (RUNTIME === "deno" ? undefined : "once is enough");

describe("FP8 without instructions for it", { skip }, () => {
  const given = numbers();
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
  const written = new Map<Fp8DType, Uint8Array>();
  /** What the codes mean, six times; plain arrays, as NaN has many patterns. */
  let read: number[][];
  before(async () => {
    const { stdout, status } = spawnSync(await buildFp8Codes(), {
      input: new Uint8Array(given.buffer),
      maxBuffer: 2 ** 28,
    });
    assert.equal(status, 0);
    assert.equal(stdout.length, 2 * given.length + 6 * 1024);
    FP8_DTYPES.forEach((dtype, i) => written.set(dtype, stdout.subarray(i * given.length, (i + 1) * given.length)));
    const tables = new Float32Array(Uint8Array.from(stdout.subarray(2 * given.length)).buffer);
    read = Array.from({ length: 6 }, (_, i) => [...tables.subarray(256 * i, 256 * (i + 1))]);
  }, { timeout: 600_000 });

  for (const dtype of FP8_DTYPES) {
    it(`f32 becomes ${dtype}: rounded to nearest even, saturated, NaN stays NaN`, () => {
      const want = toFp8(dtype, given);
      const got = written.get(dtype)!;
      const wrong = want.findIndex((code, i) => code !== got[i]);
      assert.equal(wrong, -1, `${given[wrong]} becomes ${got[wrong]}, expected ${want[wrong]}`);
    });
  }

  it("e4m3 becomes f16 and bf16; NaN becomes 480", () => {
    const want = [...fromFp8("e4m3", codes)].map((x, code) => Number.isNaN(x) ? code < 128 ? 480 : -480 : x);
    assert.deepEqual(read[0], want);
    assert.deepEqual(read[1], want);
  });

  FP8_DTYPES.forEach((dtype, i) =>
    it(`${dtype} becomes f16 and bf16 in the emulation`, () => {
      const want = [...fromFp8(dtype, codes)];
      assert.deepEqual(read[2 + 2 * i], want);
      assert.deepEqual(read[3 + 2 * i], want);
    })
  );
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidArgumentError } from "../../mod.ts";
import { fromBf16, fromF16, fromFp8, fromRaw, toBf16, toF16, toFp8, toRaw } from "../../src/device/dtype.ts";
import { Random } from "../support/random.ts";
import { assertRefused } from "../support/refused.ts";

const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** A 16-bit float's value from its definition. */
function valueOf(bits: number, exponentBits: number): number {
  const mantissaBits = 15 - exponentBits;
  const exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
  const mantissa = bits & ((1 << mantissaBits) - 1);
  const sign = bits & 0x8000 ? -1 : 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === (1 << exponentBits) - 1) return mantissa === 0 ? sign * Infinity : NaN;
  const fraction = mantissa / 2 ** mantissaBits;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

/** The nearest pattern, ties to even, by search among the values of one sign. */
function nearest(value: number, values: Float64Array, exponentBits: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const infinity = ((1 << exponentBits) - 1) << (15 - exponentBits);
  let low = 0;
  let high = infinity;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= magnitude) low = middle;
    else high = middle;
  }
  // Rounding takes infinity for the number that would follow the largest finite one.
  const above = high === infinity ? 2 * values[infinity - 1] - values[infinity - 2] : values[high];
  const [down, up] = [magnitude - values[low], above - magnitude];
  return sign | (down < up || (down === up && low % 2 === 0) ? low : high);
}

for (
  const { name, exponentBits, to, from } of [
    { name: "f16", exponentBits: 5, to: toF16, from: fromF16 },
    { name: "bf16", exponentBits: 8, to: toBf16, from: fromBf16 },
  ]
) {
  describe(`${name} conversion`, () => {
    const values = Float64Array.from(PATTERNS, (bits) => valueOf(bits, exponentBits));

    it("reads all 65536 patterns", () => {
      from(PATTERNS).forEach((value, bits) => assert.ok(Object.is(value, values[bits]), `pattern ${bits}`));
    });

    it("writes every pattern's value back to the pattern, NaN to a NaN", () => {
      to(from(PATTERNS)).forEach((bits, pattern) => {
        if (Number.isNaN(values[pattern])) assert.ok(Number.isNaN(values[bits]), `pattern ${pattern}`);
        else assert.equal(bits, pattern);
      });
    });

    it("rounds to nearest, ties to even, at and around every midpoint", () => {
      const infinity = ((1 << exponentBits) - 1) << (15 - exponentBits);
      const inputs: number[] = [];
      for (let bits = 0; bits < infinity; bits++) {
        const next = bits + 1 === infinity ? 2 * values[bits] - values[bits - 1] : values[bits + 1];
        const middle = (values[bits] + next) / 2; // Exact in f32: one bit more than the pattern has.
        if (Math.fround(middle) !== middle) continue; // Below bf16's, and f32's, smallest number.
        const float = Float32Array.of(middle);
        const word = new Uint32Array(float.buffer);
        word[0]--;
        inputs.push(float[0]);
        word[0] += 2;
        inputs.push(float[0], middle);
      }
      for (const sign of [1, -1]) {
        const signed = Float32Array.from(inputs, (value) => sign * value);
        to(signed).forEach((bits, i) => {
          const expected = nearest(signed[i], values, exponentBits);
          if (bits !== expected) assert.fail(`${signed[i]} became ${bits}, expected ${expected}`);
        });
      }
    });

    it("rounds random numbers to the nearest", () => {
      const random = new Random(1);
      const inputs = Float32Array.from({ length: 20000 }, () => (random.next() - 0.5) * 2 ** random.integer(-40, 40));
      to(inputs).forEach((bits, i) => assert.equal(bits, nearest(inputs[i], values, exponentBits), `${inputs[i]}`));
    });

    it("keeps NaN, infinities and signed zeros", () => {
      const infinity = ((1 << exponentBits) - 1) << (15 - exponentBits);
      assert.deepEqual([...to([Infinity, -Infinity, 0, -0])], [infinity, infinity | 0x8000, 0, 0x8000]);
      const payloads = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fc00000, 0xffffffff).buffer);
      for (const bits of to(payloads)) assert.ok(Number.isNaN(values[bits]));
      assert.deepEqual([...to([3.5e38, 1e300])], [infinity, infinity], "beyond f32");
    });
  });
}

/** The finite values of an FP8 format's patterns 0, 1, 2, ..., from its definition. */
function fp8Values(dtype: "e4m3" | "e5m2"): Float64Array {
  const [mantissaBits, bias, count] = dtype === "e4m3" ? [3, 7, 0x7f] : [2, 15, 0x7c];
  return Float64Array.from({ length: count }, (_, bits) => {
    const exponent = bits >> mantissaBits;
    const fraction = bits % 2 ** mantissaBits / 2 ** mantissaBits;
    return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  });
}

for (const dtype of ["e4m3", "e5m2"] as const) {
  describe(`${dtype} conversion`, () => {
    const values = fp8Values(dtype);
    const largest = values.length - 1;

    it("has the limits of the OCP specification", () => {
      assert.equal(values[largest], dtype === "e4m3" ? 448 : 57344);
      assert.equal(values[1], dtype === "e4m3" ? 2 ** -9 : 2 ** -16);
    });

    it("reads all 256 patterns", () => {
      fromFp8(dtype, Uint8Array.from({ length: 256 }, (_, bits) => bits)).forEach((value, bits) => {
        const magnitude = bits & 0x7f;
        const special = dtype === "e5m2" && magnitude === 0x7c ? Infinity : NaN;
        const want = magnitude <= largest ? values[magnitude] : special;
        assert.ok(Object.is(value, bits < 128 ? want : -want), `pattern ${bits}`);
      });
    });

    it("writes every finite pattern's value back to the pattern", () => {
      for (let bits = 0; bits <= largest; bits++) {
        assert.deepEqual([...toFp8(dtype, [values[bits], -values[bits]])], [bits, bits | 0x80]);
      }
    });

    it("rounds to nearest, ties to even, at and around every midpoint", () => {
      for (let bits = 0; bits < largest; bits++) {
        const middle = (values[bits] + values[bits + 1]) / 2;
        const word = new Uint32Array(Float32Array.of(middle).buffer)[0];
        const [below, above] = new Float32Array(Uint32Array.of(word - 1, word + 1).buffer);
        for (const sign of [1, -1]) {
          const got = toFp8(dtype, [sign * below, sign * middle, sign * above]);
          const want = [bits, bits + bits % 2, bits + 1].map((code) => sign < 0 ? code | 0x80 : code);
          assert.deepEqual([...got], want, `between ${values[bits]} and ${values[bits + 1]}`);
        }
      }
    });

    it("saturates, keeps NaN and signed zeros", () => {
      const max = values[largest];
      const large = [max * 1.01, max * 1.1, max * 1.5, max * 2, 1e30, 1e300, Infinity];
      assert.deepEqual([...toFp8(dtype, large)], large.map(() => largest));
      assert.deepEqual([...toFp8(dtype, large.map((value) => -value))], large.map(() => largest | 0x80));
      assert.deepEqual([...toFp8(dtype, [0, -0, 1e-30, -1e-30])], [0, 0x80, 0, 0x80]);
      const payloads = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fc00000, 0xffffffff).buffer);
      // JavaScript may change a NaN's sign.
      for (const bits of toFp8(dtype, payloads)) assert.equal(bits & 0x7f, 0x7f);
    });

    it("converts arrays of numbers, and passes patterns on", () => {
      const patterns = Uint8Array.of(0x38, 0x7f);
      assert.equal(toRaw(dtype, patterns), patterns);
      assert.deepEqual(toRaw(dtype, [1, -2]), toFp8(dtype, [1, -2]));
      assert.deepEqual(fromRaw(dtype, toFp8(dtype, [1, -2, 0.5])), Float32Array.of(1, -2, 0.5));
    });
  });
}

describe("toRaw", () => {
  it("passes raw arrays on, and refuses integers that do not fit", () => {
    const patterns = Uint16Array.of(1, 2);
    assert.equal(toRaw("bf16", patterns), patterns);
    assert.equal(toRaw("f16", patterns), patterns);
    assert.deepEqual([...toRaw("i32", [-(2 ** 31), 2 ** 31 - 1])], [-(2 ** 31), 2 ** 31 - 1]);
    for (const bad of [2 ** 31, -(2 ** 31) - 1, 0.5, NaN]) {
      assertRefused(InvalidArgumentError, new RegExp(`Cannot write ${bad}`), () => toRaw("i32", [bad]));
    }
    for (const bad of [256, -1, 1.5]) {
      assertRefused(InvalidArgumentError, /integers from 0 to 255/, () => toRaw("u8", [bad]));
    }
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidArgumentError, rope, ropeFrequencies } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, FLOAT_DTYPES, matrix } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { rotateHead } from "../support/rotate.ts";
import { roundingOf } from "../support/tolerance.ts";

/** Positions at which a plain f32 product of position and frequency has lost the angle. */
const POSITIONS = [0, 1, 2, 17, 4095, 131071, 1000003, 16777217, 0x7fffffff, -1, -5000];

onEveryBackend("rope", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (const interleaved of [false, true]) {
      for (
        const [numHeads, headDim, rotaryDim, gap] of [
          [3, 64, 64, 2],
          [3, 64, 64, 8],
          [1, 128, 32, 2],
          [2, 128, 32, 0],
          [5, 96, 2, 2],
          [2, 6, 6, 2],
        ]
      ) {
        it(`${dtype}, ${numHeads} heads of ${headDim}, ${gap} apart, ${rotaryDim} rotated, ${interleaved ? "neighbours" : "halves"}`, async () => {
          const invFreq = ropeFrequencies({ rotaryDim });
          const numTokens = POSITIONS.length;
          // Tokens are rows of heads; heads lie with gaps as well.
          using rows = matrix(
            device(),
            [numTokens * numHeads, headDim],
            dtype,
            gap,
            new Random(headDim).normals(numTokens * numHeads * headDim),
          );
          const x = rows.tensor.view([numTokens, numHeads, headDim], [numHeads * (headDim + gap), headDim + gap, 1]);
          using positions = device().fromArray(POSITIONS, "i32");
          using frequencies = device().fromArray(invFreq, "f32");
          assert.equal(rope({ x, positions, invFreq: frequencies, interleaved }), x);
          const got = await rows.read();
          for (let token = 0; token < numTokens; token++) {
            for (let head = 0; head < numHeads; head++) {
              const at = (token * numHeads + head) * headDim;
              const { out, size } = rotateHead(
                rows.content.subarray(at, at + headDim),
                invFreq,
                POSITIONS[token],
                interleaved,
              );
              const tolerance = (i: number): number =>
                size[i] === 0 ? 0 : 1.01 * roundingOf(dtype, out[i]) + 2 ** -21 * size[i];
              assertClose(got.subarray(at, at + headDim), out, tolerance, `position ${POSITIONS[token]}, head ${head}`);
            }
          }
        });
      }
    }
  }

  it("refuses more frequencies than pairs", () => {
    using x = device().tensor([1, 1, 64], "f32");
    using positions = device().tensor([1], "i32");
    using invFreq = device().tensor([33], "f32");
    assert.throws(() => rope({ x, positions, invFreq }), /33 frequencies for heads of 64. Pass at most 32/);
  });
});

describe("ropeFrequencies", () => {
  it("falls from 1 as powers of theta", () => {
    const invFreq = ropeFrequencies({ rotaryDim: 8, theta: 10000 });
    assertClose(invFreq, [1, 0.1, 0.01, 0.001], (i) => 1e-7 * invFreq[i], "frequencies");
    const stretched = ropeFrequencies({ rotaryDim: 8, linearFactor: 4 });
    assertClose(stretched, [0.25, 0.025, 0.0025, 0.00025], (i) => 1e-7 * stretched[i], "frequencies");
  });

  it("scales as Llama 3.1 does: high frequencies stay, low ones are divided, those between are blended", () => {
    const llama3 = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPosition: 8192 };
    const plain = ropeFrequencies({ rotaryDim: 128, theta: 500000 });
    const scaled = ropeFrequencies({ rotaryDim: 128, theta: 500000, llama3 });
    for (let i = 0; i < 64; i++) {
      const wavelength = 2 * Math.PI / plain[i];
      const smooth = (8192 / wavelength - 1) / 3;
      const expected = wavelength < 8192 / 4
        ? plain[i]
        : wavelength > 8192
        ? plain[i] / 8
        : (1 - smooth) * plain[i] / 8 + smooth * plain[i];
      assert.ok(Math.abs(scaled[i] - expected) <= 2e-7 * expected, `frequency ${i}`);
    }
    assert.ok(scaled.some((value, i) => value < plain[i] && value > plain[i] / 7.9), "none is blended");
  });

  it("refuses values that make no frequencies", () => {
    for (const rotaryDim of [0, 3, -2, 1.5, NaN]) {
      assert.throws(() => ropeFrequencies({ rotaryDim }), InvalidArgumentError);
    }
    assert.throws(() => ropeFrequencies({ rotaryDim: 4, theta: 0 }), InvalidArgumentError);
    assert.throws(() => ropeFrequencies({ rotaryDim: 4, linearFactor: NaN }), InvalidArgumentError);
  });
});

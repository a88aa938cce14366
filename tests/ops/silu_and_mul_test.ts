import assert from "node:assert/strict";
import { it } from "node:test";
import { siluAndMul } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, FLOAT_DTYPES, matrix } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { roundingOf } from "../support/tolerance.ts";

onEveryBackend("siluAndMul", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (const [numRows, dim, gap] of [[1, 1, 0], [3, 7, 1], [2, 64, 0], [4, 64, 8], [5, 1536, 3], [33, 130, 2]]) {
      it(`${dtype} [${numRows}, 2 x ${dim}], ${gap} elements between rows`, async () => {
        const random = new Random(dim);
        const values = random.normals(numRows * 2 * dim, 3);
        // Gates at which e^-z overflows, vanishes, or is 1.
        [100, -100, 0, 88, -88, 20, -20].forEach((gate, i) => {
          if (i < dim) values[i] = gate;
        });
        using x = matrix(device(), [numRows, 2 * dim], dtype, gap, values);
        using out = matrix(device(), [numRows, dim], dtype, gap % 8 === 0 ? 8 : gap + 1);
        siluAndMul({ x: x.tensor, out: out.tensor });
        const expected = new Float64Array(numRows * dim);
        for (let i = 0; i < expected.length; i++) {
          const at = Math.floor(i / dim) * 2 * dim + i % dim;
          expected[i] = x.content[at] / (1 + Math.exp(-x.content[at])) * x.content[at + dim];
        }
        // Where e^-z nears the end of f32's range, backends stop it short: nothing is promised but smallness.
        const tolerance = (i: number): number =>
          1.01 * roundingOf(dtype, expected[i]) + 2 ** -20 * Math.abs(expected[i]) + 2 ** -100;
        assertClose(await out.read(), expected, tolerance, "out");
      });
    }
  }

  it("refuses rows of odd length", () => {
    using x = device().tensor([2, 7], "bf16");
    assert.throws(() => siluAndMul({ x }), /rows hold gate and up, so their length must be even/);
  });
});

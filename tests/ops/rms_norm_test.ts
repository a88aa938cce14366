import assert from "node:assert/strict";
import { it } from "node:test";
import { InvalidArgumentError, rmsNorm } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, FLOAT_DTYPES, matrix, rounded } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { roundingOf } from "../support/tolerance.ts";

/** The norm of each row, in f64. */
function normOf(x: Float32Array, weight: Float32Array, numRows: number, eps: number): Float64Array {
  const dim = weight.length;
  const out = new Float64Array(x.length);
  for (let row = 0; row < numRows; row++) {
    let squares = 0;
    for (let i = row * dim; i < (row + 1) * dim; i++) squares += x[i] * x[i];
    const scale = 1 / Math.sqrt(squares / dim + eps);
    for (let i = 0; i < dim; i++) out[row * dim + i] = x[row * dim + i] * scale * weight[i];
  }
  return out;
}

const EPS = Math.fround(1e-5);

onEveryBackend("rmsNorm", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (
      const [numRows, dim, gap] of [[1, 1, 0], [3, 7, 1], [17, 64, 0], [3, 1024, 8], [5, 576, 3], [2, 1000, 5], [
        9,
        4097,
        2,
      ]]
    ) {
      it(`${dtype} [${numRows}, ${dim}], ${gap} elements between rows, with and without residual`, async () => {
        const random = new Random(dim);
        // Some rows are tiny, so that eps counts.
        const values = random.normals(numRows * dim).map((value, i) =>
          Math.floor(i / dim) % 3 === 2 ? value / 500 : value
        );
        using x = matrix(device(), [numRows, dim], dtype, gap, values);
        using weight = device().fromArray(random.normals(dim), dtype);
        const w = await weight.read() as Float32Array;
        using out = matrix(device(), [numRows, dim], dtype, gap % 8 === 0 ? 8 : gap + 1);
        rmsNorm({ x: x.tensor, weight, eps: EPS, out: out.tensor });
        // The sum of squares and the scale are a few f32 roundings.
        const tolerance = (expected: Float64Array) => (i: number) =>
          1.01 * roundingOf(dtype, expected[i]) + 2 ** -19 * Math.abs(expected[i]);
        const plain = normOf(x.content, w, numRows, EPS);
        assertClose(await out.read(), plain, tolerance(plain), "out");
        assert.deepEqual(await x.read(), x.content, "x was written");

        using residual = matrix(
          device(),
          [numRows, dim],
          dtype,
          gap % 8 === 0 ? 16 : gap + 2,
          random.normals(numRows * dim),
        );
        rmsNorm({ x: x.tensor, weight, eps: EPS, residual: residual.tensor, out: out.tensor });
        const sum = rounded(dtype, residual.content.map((value, i) => Math.fround(value + x.content[i])));
        assert.deepEqual(await residual.read(), sum, "residual is not residual + x");
        const normed = normOf(sum, w, numRows, EPS);
        assertClose(await out.read(), normed, tolerance(normed), "out after the residual");
      });
    }

    it(`${dtype} in place`, async () => {
      const random = new Random(3);
      using x = matrix(device(), [4, 100], dtype, 0, random.normals(400));
      using weight = device().fromArray(new Float32Array(100).fill(1), dtype);
      using out = rmsNorm({ x: x.tensor, weight, eps: EPS });
      assert.equal(rmsNorm({ x: x.tensor, weight, eps: EPS, out: x.tensor }), x.tensor);
      assert.deepEqual(await x.readRaw(), await out.readRaw());
    });
  }

  it("takes no rows, and refuses what does not fit", () => {
    using x = device().tensor([0, 8], "f32");
    using weight = device().tensor([8], "f32");
    using out = rmsNorm({ x, weight, eps: EPS });
    assert.deepEqual(out.shape, [0, 8]);
    using other = device().tensor([7], "f32");
    for (const eps of [0, -1, NaN, Infinity]) assert.throws(() => rmsNorm({ x, weight, eps }), InvalidArgumentError);
    assert.throws(() => rmsNorm({ x, weight: other, eps: EPS }), /weight has shape \[7\]. Expected \[8\]/);
  });
});

import assert from "node:assert/strict";
import { it } from "node:test";
import { linear, NotSupportedError } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertClose, matrix } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { type FloatDType, roundingOf } from "../support/tolerance.ts";

const ROWS = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 130];
const IN_DIMS = [1, 2, 7, 16, 31, 33, 64, 65, 100, 576, 1001];
const OUT_DIMS = [1, 3, 15, 16, 17, 48, 63, 65, 130, 257];
/** Rows that begin at multiples of 16 bytes: few, many, and enough to fill large tiles; a long in_dim is shared by CTAs. */
const ALIGNED: [numRows: number, inDim: number, outDim: number][] = [
  [1, 64, 48],
  [8, 576, 65],
  [13, 72, 130],
  [16, 1024, 17],
  [30, 264, 63],
  [40, 3072, 70],
  [200, 96, 300],
];

onEveryBackend("linear", (device, backend) => {
  const dtypes: FloatDType[] = backend === "cpu" ? ["f32", "f16", "bf16"] : ["f16", "bf16"];
  for (const dtype of dtypes) {
    for (const outDtype of dtype === "f32" ? [dtype] : [dtype, "f32" as const]) {
      it(`${dtype} to ${outDtype}: odd sizes and strides and aligned ones, with and without bias`, async () => {
        const random = new Random(ROWS.length);
        const odd = ROWS.flatMap((m) => [0, 1].map(() => [m, random.pick(IN_DIMS), random.pick(OUT_DIMS)] as const));
        const shapes = [
          ...odd.map((shape) => ({ shape, gaps: [0, 1, 3, 8] })),
          ...ALIGNED.map((shape) => ({ shape, gaps: [0, 8] })),
        ];
        for (const { shape: [numRows, inDim, outDim], gaps } of shapes) {
          const [xGap, outGap, hasBias] = [random.pick(gaps), random.pick([0, 1, 5, 8]), random.next() < 0.5];
          using x = matrix(device(), [numRows, inDim], dtype, xGap, random.normals(numRows * inDim));
          using weight = matrix(device(), [outDim, inDim], dtype, 0, random.normals(outDim * inDim));
          using bias = matrix(device(), [1, outDim], dtype, 0, random.normals(outDim, 10));
          using out = matrix(device(), [numRows, outDim], outDtype, outGap);
          linear({
            x: x.tensor,
            weight: weight.tensor,
            bias: hasBias ? bias.tensor.reshape([outDim]) : undefined,
            out: out.tensor,
          });
          const expected = new Float64Array(numRows * outDim);
          const size = new Float64Array(expected.length);
          for (let m = 0; m < numRows; m++) {
            for (let n = 0; n < outDim; n++) {
              let sum = hasBias ? bias.content[n] : 0;
              let magnitude = Math.abs(sum);
              for (let k = 0; k < inDim; k++) {
                const product = x.content[m * inDim + k] * weight.content[n * inDim + k];
                sum += product;
                magnitude += Math.abs(product);
              }
              expected[m * outDim + n] = sum;
              size[m * outDim + n] = magnitude;
            }
          }
          // Accumulated in f32, in parts: the error of a part grows with the square root of its length.
          const tolerance = (i: number): number => 1.01 * roundingOf(outDtype, expected[i]) + 32 * 2 ** -24 * size[i];
          const what = `m=${numRows} k=${inDim} n=${outDim} xGap=${xGap} outGap=${outGap}${hasBias ? " bias" : ""}`;
          assertClose(await out.read(), expected, tolerance, what);
        }
      });
    }
  }

  it("gives the same bits run to run", async () => {
    const random = new Random(8);
    using x = device().fromArray(random.normals(40 * 576), "bf16", [40, 576]);
    using weight = device().fromArray(random.normals(100 * 576), "bf16", [100, 576]);
    using first = linear({ x, weight });
    using second = linear({ x, weight });
    assert.deepEqual(await first.readRaw(), await second.readRaw());
  });

  it("makes out of the dtype asked for, and refuses what does not fit", () => {
    using x = device().tensor([3, 8], "bf16");
    using weight = device().tensor([5, 8], "bf16");
    using out = linear({ x, weight, outDtype: "f32" });
    assert.deepEqual([out.dtype, ...out.shape], ["f32", 3, 5]);
    using narrow = device().tensor([5, 7], "bf16");
    assert.throws(() => linear({ x, weight: narrow }), /weight has shape \[5,7\]. Expected \[any,8\]/);
    using half = device().tensor([3, 5], "f16");
    assert.throws(() => linear({ x, weight, out: half }), /out has dtype f16. Expected bf16 or f32/);
    assert.throws(() => linear({ x, weight, outDtype: "f16" }), NotSupportedError);
  });
});

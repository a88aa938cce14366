/** FP8 caches: what append stores, with scales, with rotation, and from rows that are FP8 already. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { NotSupportedError, PagedKvCache, type PagedKvCacheOptions, ropeFrequencies } from "../../mod.ts";
import { toFp8 } from "../../src/device/dtype.ts";
import { onEveryBackend } from "../support/backends.ts";
import { FP8_DTYPES, fp8Rounding, hasFp8 } from "../support/fp8.ts";
import { FLOAT_DTYPES, rounded } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { assertRefused } from "../support/refused.ts";
import { rotateHead } from "../support/rotate.ts";

const [numKvHeads, headDim, headDimVo] = [3, 192, 128];
const small = { numPages: 6, pageSize: 4, numKvHeads, headDim, headDimVo };

onEveryBackend("an FP8 cache", (device) => {
  it("is refused by name where kernels have no FP8, and the sequence stays as it was", () => {
    if (hasFp8(device())) return;
    using cache = new PagedKvCache(device(), { ...small, headDimVo: headDim, dtype: "e4m3" });
    using rows = device().tensor([2, numKvHeads, headDim], "bf16");
    const chat = cache.createSequence();
    assertRefused(NotSupportedError, /e4m3.*do not write FP8/, () => cache.append([chat], { k: rows, v: rows }));
    assert.equal(chat.length, 0);
    cache.checkIntegrity();
  });

  for (const kvDtype of FP8_DTYPES) {
    for (const dtype of FLOAT_DTYPES) {
      it(`stores ${dtype} as ${kvDtype}: divided by the scale of its layer and head, rounded, saturated`, async () => {
        if (!hasFp8(device())) return;
        const random = new Random(3);
        const numLayers = 2;
        const kScale = Float32Array.from([0.5, 1.25, 1e-3, 7, 0.3, 1]);
        using vScale = device().fromArray([2, 0.01, 3], "f32");
        const options: PagedKvCacheOptions = { ...small, dtype: kvDtype, numLayers, kScale, vScale, kvLayout: "HND" };
        using cache = new PagedKvCache(device(), options);
        const chat = cache.createSequence();
        const numTokens = 7;
        const odd = random.normals(numTokens * numKvHeads * headDim, 3);
        odd.set([NaN, Infinity, -Infinity, 0, -0, 60000, -60000], 5);
        const kValues = rounded(dtype, odd);
        const vValues = rounded(dtype, random.normals(numTokens * numKvHeads * headDimVo, 30));
        using k = device().fromArray(kValues, dtype, [numTokens, numKvHeads, headDim]);
        using v = device().fromArray(vValues, dtype, [numTokens, numKvHeads, headDimVo]);
        const slots = cache.extend([chat], [numTokens]);
        for (let layer = 0; layer < numLayers; layer++) {
          cache.write({ k, v, slots, layer });
          const stored = cache.layer(layer);
          const [gotK, gotV] = [await stored.k.readRaw(), await stored.v.readRaw()];
          for (let token = 0; token < numTokens; token++) {
            const page = chat.pages[token >> 2];
            for (let head = 0; head < numKvHeads; head++) {
              const where = `layer ${layer}, token ${token}, head ${head}`;
              for (
                const [got, given, dim, scale, strides] of [
                  [gotK, kValues, headDim, kScale[layer * numKvHeads + head], stored.kStrides],
                  [gotV, vValues, headDimVo, [2, 0.01, 3].map(Math.fround)[head], stored.vStrides],
                ] as const
              ) {
                const at = page * strides.page + token % 4 * strides.token + head * strides.head;
                const own = given.subarray((token * numKvHeads + head) * dim, (token * numKvHeads + head + 1) * dim);
                const want = toFp8(kvDtype, own.map((value) => Math.fround(value / scale)));
                assert.deepEqual(got.slice(at, at + dim), want, where);
              }
            }
          }
        }
      });

      it(`rotates keys before they become ${kvDtype}: ${dtype}`, async () => {
        if (!hasFp8(device())) return;
        for (const interleaved of [false, true]) {
          const random = new Random(9);
          const [numTokens, rotaryDim, kScale] = [6, 64, 0.01];
          using cache = new PagedKvCache(device(), { ...small, dtype: kvDtype, kScale });
          const kValues = rounded(dtype, random.normals(numTokens * numKvHeads * headDim));
          const invFreqValues = ropeFrequencies({ rotaryDim });
          using invFreq = device().fromArray(invFreqValues, "f32");
          using k = device().fromArray(kValues, dtype, [numTokens, numKvHeads, headDim]);
          using v = device().fromArray(new Float32Array(numTokens * numKvHeads * headDimVo), dtype, [
            numTokens,
            numKvHeads,
            headDimVo,
          ]);
          const chat = cache.createSequence();
          cache.append([chat], { k, v, rope: { invFreq, interleaved } });
          const got = await cache.layer(0).k.read();
          for (let token = 0; token < numTokens; token++) {
            for (let head = 0; head < numKvHeads; head++) {
              const at = (token * numKvHeads + head) * headDim;
              const slot = ((chat.pages[token >> 2] * 4 + token % 4) * numKvHeads + head) * headDim;
              const { out, size } = rotateHead(
                kValues.subarray(at, at + headDim),
                invFreqValues,
                token,
                interleaved,
              );
              for (let i = 0; i < headDim; i++) {
                const want = Math.max(-448, Math.min(448, out[i] / kScale));
                // Rotated in f32, then rounded once; the first may put a number on the other side of a midpoint.
                const tolerance = 1.001 * fp8Rounding(kvDtype, want) + 2 ** -20 * size[i] / kScale;
                if (!(Math.abs(got[slot + i] - want) <= tolerance)) {
                  assert.fail(`key ${token}, head ${head}, element ${i} is ${got[slot + i]}, expected ${want}`);
                }
              }
            }
          }
        }
      });
    }

    it(`stores rows of ${kvDtype} as they are, and copies shared pages byte by byte`, async () => {
      if (!hasFp8(device())) return;
      using cache = new PagedKvCache(device(), { ...small, dtype: kvDtype, kScale: 3, vScale: [1, 2, 3] });
      const bytes = (count: number, first: number): Uint8Array<ArrayBuffer> =>
        Uint8Array.from({ length: count }, (_, i) => (first + 13 * i) & 255);
      const rows = (numTokens: number, first: number) => ({
        k: device().fromArray(bytes(numTokens * numKvHeads * headDim, first), kvDtype, [
          numTokens,
          numKvHeads,
          headDim,
        ]),
        v: device().fromArray(bytes(numTokens * numKvHeads * headDimVo, first), kvDtype, [
          numTokens,
          numKvHeads,
          headDimVo,
        ]),
      });
      const parent = cache.createSequence();
      cache.append([parent], rows(6, 1));
      const child = parent.fork();
      cache.append([child], rows(1, 7));
      assert.notEqual(child.pages[1], parent.pages[1]);
      for (const [name, dim] of [["k", headDim], ["v", headDimVo]] as const) {
        const found = await cache.layer(0)[name].readRaw();
        const width = numKvHeads * dim;
        const tokenOf = (pages: Int32Array, token: number): Uint8Array => {
          const slot = pages[token >> 2] * 4 + token % 4;
          return found.slice(slot * width, (slot + 1) * width) as Uint8Array;
        };
        const old = bytes(6 * width, 1);
        for (let token = 0; token < 6; token++) {
          const want = old.slice(token * width, (token + 1) * width);
          assert.deepEqual(tokenOf(parent.pages, token), want, `${name} of token ${token}`);
          assert.deepEqual(tokenOf(child.pages, token), want, `${name} of token ${token}, forked`);
        }
        assert.deepEqual(tokenOf(child.pages, 6), bytes(width, 7), `${name} of the child's own token`);
      }
    });
  }
});

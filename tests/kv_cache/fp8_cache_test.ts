/** FP8 caches: what append stores, with scales, with rotation, and from rows that are FP8 already. */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  type Device,
  type Fp8DType,
  InvalidArgumentError,
  type KvLayer,
  PagedKvCache,
  type PagedKvCacheOptions,
  ropeFrequencies,
  type Sequence,
  type Tensor,
} from "../../mod.ts";
import { toFp8 } from "../../src/device/dtype.ts";
import { onEveryBackend } from "../support/backends.ts";
import { FP8_DTYPES, fp8Rounding } from "../support/fp8.ts";
import { FLOAT_DTYPES, rounded } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { assertRejected } from "../support/refused.ts";
import { rotateHead } from "../support/rotate.ts";
import type { FloatDType } from "../support/tolerance.ts";

const [numKvHeads, headDim, headDimVo] = [3, 192, 128];
const small = { numPages: 6, pageSize: 4, numKvHeads, headDim, headDimVo };

/** New rows on the device, [numTokens, numKvHeads, dim], and their numbers. */
interface Rows {
  values: Float32Array;
  tensor: Tensor;
  /** What `tensor` is a view of. */
  owner: Tensor;
}

/** Rows of numbers as `dtype` has them. With `spread`, tokens lie further apart than they are long. */
function rowsOf(device: Device, dtype: FloatDType, numbers: Float32Array, shape: number[], spread = false): Rows {
  const values = rounded(dtype, numbers);
  if (!spread) {
    const tensor = device.fromArray(values, dtype, shape);
    return { values, tensor, owner: tensor };
  }
  const [numTokens, numHeads, dim] = shape;
  const wide = new Float32Array(numTokens * (numHeads + 1) * dim);
  for (let token = 0; token < numTokens; token++) {
    wide.set(values.subarray(token * numHeads * dim, (token + 1) * numHeads * dim), token * (numHeads + 1) * dim);
  }
  const step = (numHeads + 1) * dim;
  const owner = device.fromArray(wide, dtype, [wide.length]);
  return { values, tensor: owner.view(shape, [step, dim, 1]), owner };
}

/** The stored row of a token and head. */
function rowIn(
  stored: Uint8Array,
  chat: Sequence,
  pageSize: number,
  strides: KvLayer["kStrides"],
  token: number,
  head: number,
  dim: number,
): Uint8Array {
  const page = chat.pages[Math.floor(token / pageSize)];
  const at = page * strides.page + token % pageSize * strides.token + head * strides.head;
  return stored.slice(at, at + dim);
}

/** NaN keeps its sign on the CPU alone. */
function withoutNanSigns(codes: Uint8Array): Uint8Array {
  return codes.map((code) => (code & 0x7f) === 0x7f ? 0x7f : code);
}

/** What a row becomes. */
function quotients(dtype: Fp8DType, row: Float32Array, scale: number): Uint8Array {
  return toFp8(dtype, row.map((value) => Math.fround(value / scale)));
}

interface Case {
  name: string;
  numTokens: number;
  options: Partial<PagedKvCacheOptions>;
  /** Where rows of new tokens have something between them. */
  spread?: boolean;
}

const CASES: Case[] = [
  { name: "two layers", numTokens: 7, options: { numLayers: 2, kvLayout: "HND" } },
  // More than 64 heads are several CTAs' work, and CTAs of an emulated GPU take several of these tokens each.
  { name: "many heads", numTokens: 3, options: { numKvHeads: 70, headDim: 64, headDimVo: 96 }, spread: true },
  { name: "many tokens", numTokens: 150, options: { numPages: 30, pageSize: 5, numKvHeads: 2, headDimVo: 64 } },
];

onEveryBackend("an FP8 cache", (device, backend) => {
  for (const kvDtype of FP8_DTYPES) {
    for (const dtype of FLOAT_DTYPES) {
      for (const { name, numTokens, options, spread } of CASES) {
        it(`stores ${dtype} as ${kvDtype}, divided by the scale of its layer and head: ${name}`, async () => {
          const random = new Random(3);
          const { numLayers = 1, ...shape } = { ...small, ...options };
          const heads = Array.from({ length: shape.numKvHeads }, (_, head) => head);
          const kScale = Float32Array.from({ length: numLayers * heads.length }, (_, i) => [0.5, 1.25, 1e-3, 7][i % 4]);
          const vScales = Float32Array.from(heads, (head) => [2, 0.01, 3][head % 3]);
          using vScale = device().fromArray(vScales, "f32");
          using cache = new PagedKvCache(device(), { ...shape, dtype: kvDtype, numLayers, kScale, vScale });
          const odd = random.normals(numTokens * heads.length * shape.headDim, 3);
          odd.set([NaN, Infinity, -Infinity, 0, -0, 60000, -60000], 5);
          const k = rowsOf(device(), dtype, odd, [numTokens, heads.length, shape.headDim], spread);
          const plain = random.normals(numTokens * heads.length * shape.headDimVo, 30);
          const v = rowsOf(device(), dtype, plain, [numTokens, heads.length, shape.headDimVo], spread);
          const chat = cache.createSequence();
          const slots = cache.extend([chat], [numTokens]);
          for (let layer = 0; layer < numLayers; layer++) {
            cache.write({ k: k.tensor, v: v.tensor, slots, layer });
            const stored = cache.layer(layer);
            const [gotK, gotV] = [await stored.k.readRaw(), await stored.v.readRaw()] as Uint8Array[];
            for (let token = 0; token < numTokens; token++) {
              for (const head of heads) {
                for (
                  const [got, { values }, dim, scale, strides] of [
                    [gotK, k, shape.headDim, kScale[layer * heads.length + head], stored.kStrides],
                    [gotV, v, shape.headDimVo, vScales[head], stored.vStrides],
                  ] as const
                ) {
                  const at = (token * heads.length + head) * dim;
                  const want = quotients(kvDtype, values.subarray(at, at + dim), scale);
                  const row = rowIn(got, chat, shape.pageSize, strides, token, head, dim);
                  assert.deepEqual(
                    withoutNanSigns(row),
                    withoutNanSigns(want),
                    `layer ${layer}, token ${token}, head ${head}`,
                  );
                }
              }
            }
          }
          k.owner.dispose();
          v.owner.dispose();
        });
      }

      it(`rotates keys before they become ${kvDtype}: ${dtype}`, async () => {
        // Pairs by eights and one by one; few tokens, and several a CTA of an emulated GPU.
        for (
          const [interleaved, rotaryDim, numTokens] of [
            [false, 64, 6],
            [true, 64, 6],
            [false, 192, 3],
            [true, 20, 3],
            [false, 12, 140],
          ] as const
        ) {
          const random = new Random(9);
          const kScale = 0.01;
          using cache = new PagedKvCache(device(), { ...small, numPages: 35, dtype: kvDtype, kScale });
          const k = rowsOf(device(), dtype, random.normals(numTokens * numKvHeads * headDim), [
            numTokens,
            numKvHeads,
            headDim,
          ]);
          const invFreqValues = ropeFrequencies({ rotaryDim });
          using invFreq = device().fromArray(invFreqValues, "f32");
          using v = device().tensor([numTokens, numKvHeads, headDimVo], dtype);
          v.fillBytes(0);
          const chat = cache.createSequence();
          cache.append([chat], { k: k.tensor, v, rope: { invFreq, interleaved } });
          const { k: stored, kStrides } = cache.layer(0);
          const [got, codes] = [await stored.read(), await stored.readRaw() as Uint8Array];
          for (let token = 0; token < numTokens; token++) {
            for (let head = 0; head < numKvHeads; head++) {
              const at = (token * numKvHeads + head) * headDim;
              const slot = chat.pages[token >> 2] * kStrides.page + token % 4 * kStrides.token + head * kStrides.head;
              const own = k.values.subarray(at, at + headDim);
              const { out, size } = rotateHead(own, invFreqValues, token, interleaved);
              const where = `${rotaryDim} rotated, key ${token}, head ${head}`;
              for (let i = 0; i < rotaryDim; i++) {
                const want = Math.max(-448, Math.min(448, out[i] / kScale));
                // Rotated in f32, then rounded once; the first may put a number on the other side of a midpoint.
                const tolerance = 1.001 * fp8Rounding(kvDtype, want) + 2 ** -20 * size[i] / kScale;
                if (!(Math.abs(got[slot + i] - want) <= tolerance)) {
                  assert.fail(`${where}, element ${i} is ${got[slot + i]}, expected ${want}`);
                }
              }
              // Only elements that are rotated may differ by an ulp before.
              const want = quotients(kvDtype, own.subarray(rotaryDim), Math.fround(kScale));
              assert.deepEqual(codes.slice(slot + rotaryDim, slot + headDim), want, where);
            }
          }
          k.owner.dispose();
        }
      });
    }

    it(`stores rows of ${kvDtype} as they are, and copies shared pages byte by byte`, async () => {
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

    it(`has NaN in ${kvDtype}, or an error, where a head's scale in device memory is none`, async () => {
      const dtype = "bf16";
      for (const bad of [0, -2, NaN, Infinity]) {
        using kScale = device().fromArray([2, bad, 0.5], "f32");
        using cache = new PagedKvCache(device(), { ...small, dtype: kvDtype, kScale });
        const values = new Float32Array(2 * numKvHeads * headDim).fill(3);
        using k = device().fromArray(values, dtype, [2, numKvHeads, headDim]);
        using v = device().fromArray(values.subarray(0, 2 * numKvHeads * headDimVo), dtype, [2, numKvHeads, headDimVo]);
        const chat = cache.createSequence();
        cache.append([chat], { k, v });
        if (backend === "cpu") {
          await assertRejected(
            InvalidArgumentError,
            /the k scale of KV head 1 is 1 times/,
            () => device().synchronize(),
          );
          continue;
        }
        const [gotK, gotV] = [await cache.layer(0).k.readRaw(), await cache.layer(0).v.readRaw()] as Uint8Array[];
        const { kStrides, vStrides } = cache.layer(0);
        for (let token = 0; token < 2; token++) {
          for (let head = 0; head < numKvHeads; head++) {
            const want = head === 1 ? NaN : 3 / [2, bad, 0.5][head];
            assert.deepEqual(
              withoutNanSigns(rowIn(gotK, chat, 4, kStrides, token, head, headDim)),
              toFp8(kvDtype, new Float32Array(headDim).fill(want)),
            );
            assert.deepEqual(
              rowIn(gotV, chat, 4, vStrides, token, head, headDimVo),
              toFp8(kvDtype, new Float32Array(headDimVo).fill(3)),
            );
          }
        }
      }
    });
  }
});

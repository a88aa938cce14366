/**
 * Starts: what a plan says again of a CTA's only item (src/planner/starts.ts). It is a copy, so results do not depend on it being there; the kernel that
 * looks at it does not trust it.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import process from "node:process";
import { BatchAttention, type DType, indptrOf, pageTableFromLists, type Tensor } from "../../mod.ts";
import { CTA_START } from "../../src/ffi/structs.gen.ts";
import { PlanBuffer } from "../../src/plan_buffers/upload.ts";
import type { Plan } from "../../src/planner/plan.ts";
import { onEveryBackend } from "../support/backends.ts";
import { Random } from "../support/random.ts";

const heads = { numQoHeads: 6, numKvHeads: 2 } as const;
const qoLens = [2, 1];
const numTokens = 3;

/** Each head dim has rings of another number of slots; FP8 has twice as many. Behind a window, KV begins in the middle of a chunk. */
const CASES: readonly { pageSize: number; windowLeft?: number; headDim: number; kvDtype?: DType }[] = [
  { pageSize: 16, headDim: 128 },
  { pageSize: 16, headDim: 64, windowLeft: 100 },
  { pageSize: 32, headDim: 128, windowLeft: 250 },
  { pageSize: 48, headDim: 96 },
  { pageSize: 128, headDim: 256 },
  { pageSize: 16, headDim: 128, kvDtype: "e4m3" },
  { pageSize: 8, headDim: 64 },
];

/** Calls `act` while the starts of each plan that is uploaded are what `change` makes of them. */
function withStarts<T>(change: (start: Int32Array) => void, act: () => T): T {
  const { upload } = PlanBuffer.prototype;
  PlanBuffer.prototype.upload = function (uploaded, stream): void {
    const plan = uploaded as Plan;
    const words = plan.words.slice();
    for (let cta = 0; cta < plan.layout.numStarts; cta++) {
      const at = plan.layout.startsOffset + cta * CTA_START.words;
      change(words.subarray(at, at + CTA_START.words));
    }
    upload.call(this, { ...plan, words }, stream);
  };
  try {
    return act();
  } finally {
    PlanBuffer.prototype.upload = upload;
  }
}

onEveryBackend("starts", (device) => {
  const looksAtStarts = (): boolean =>
    device().kind === "cuda" && device().facts.computeCapability === 90 && process.env.FLASHPAGE_CUDA_ARCH !== "80";

  /** Requests so few that each unit is spread over CTAs of its own, and so long that a piece is a few steps. */
  const kvLens = (): number[] =>
    [200, 333].map((length) => length * Math.max(1, Math.ceil(device().facts.numProcessors / 4)));

  for (const { pageSize, windowLeft = -1, headDim, kvDtype = "bf16" } of CASES) {
    const name = `of pages of ${pageSize}, head dim ${headDim}, ${kvDtype}, windowLeft ${windowLeft}`;
    it(`${name}: are not needed, and not trusted`, async () => {
      using stack = new DisposableStack();
      const random = new Random(pageSize);
      const tensor = (dtype: DType, shape: number[]): Tensor =>
        stack.use(device().fromArray(random.normals(shape.reduce((a, b) => a * b)), dtype, shape));
      let numPages = 0;
      const lists = kvLens().map((kvLen) =>
        Int32Array.from({ length: Math.ceil(kvLen / pageSize) }, () => numPages++).reverse()
      );
      const q = tensor("bf16", [numTokens, heads.numQoHeads, headDim]);
      const k = tensor(kvDtype, [numPages, pageSize, heads.numKvHeads, headDim]);
      const v = tensor(kvDtype, [numPages, pageSize, heads.numKvHeads, headDim]);
      const batch = { qoIndptr: indptrOf(qoLens), pages: pageTableFromLists(lists, kvLens(), pageSize) };
      const options = { ...heads, headDim, dtype: "bf16", kvDtype, causal: true, windowLeft } as const;
      const attention = stack.use(new BatchAttention(device(), options));
      let numStarts = 0;
      const resultOf = async (change: (start: Int32Array) => void): Promise<Float32Array> => {
        numStarts = 0;
        withStarts((start) => {
          if (start[CTA_START.numTokens] > 0) numStarts++;
          change(start);
        }, () => attention.plan(batch));
        using out = attention.run({ q, cache: { k, v } });
        return await out.read() as Float32Array;
      };
      const right = await resultOf(() => {});
      assert.equal(numStarts > 0, looksAtStarts() && pageSize % 16 === 0);
      assert.deepEqual(await resultOf((start) => start.fill(0)), right, "results depend on starts");

      const otherPages = await resultOf((start) => {
        for (let word: number = CTA_START.page0; word < CTA_START.words; word++) {
          start[word] = (start[word] + 1) % numPages;
        }
      });
      // That they are looked at at all.
      assert.equal(otherPages.every((value, i) => value === right[i]), numStarts === 0);
      // Any numbers: nothing fails, and nothing is touched that is not the batch's.
      for (let round = 0; round < 5; round++) {
        await resultOf((start) => {
          for (let word = 0; word < start.length; word++) {
            start[word] = random.pick([0, 1, -1, 5, 1 << 30, -(2 ** 31), 0x7fffffff, random.integer(0, 50)]);
          }
        });
      }
      assert.deepEqual(await resultOf(() => {}), right);
    });
  }
});

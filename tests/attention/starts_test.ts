/**
 * Starts: what a plan says again of a CTA's only item (src/planner/starts.ts). It is a copy, so results do not depend on it being there; the kernel that
 * looks at it does not trust it.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import process from "node:process";
import { BatchAttention, type Device, pageTableFromLists, type Tensor } from "../../mod.ts";
import { CTA_START } from "../../src/ffi/structs.gen.ts";
import { PlanBuffer } from "../../src/plan_buffers/upload.ts";
import type { Plan } from "../../src/planner/plan.ts";
import { onEveryBackend } from "../support/backends.ts";
import { Random } from "../support/random.ts";

const heads = { numQoHeads: 6, numKvHeads: 2, headDim: 64 } as const;
/** Few enough that each unit is spread over CTAs of its own. Behind a window, KV begins in the middle of a chunk. */
const kvLens = [200, 333];
const qoLens = [2, 1];
const NUM_PAGES = 71;

/** Calls `act` while the starts of each plan that is uploaded are what `change` makes of them. */
function withStarts<T>(change: (start: Int32Array, plan: Plan) => void, act: () => T): T {
  const { upload } = PlanBuffer.prototype;
  PlanBuffer.prototype.upload = function (uploaded, stream): void {
    const plan = uploaded as Plan;
    const words = plan.words.slice();
    for (let cta = 0; cta < plan.layout.numCtas; cta++) {
      const at = plan.layout.startsOffset + cta * CTA_START.words;
      change(words.subarray(at, at + CTA_START.words), plan);
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

  function inputs(on: Device, pageSize: number, random: Random) {
    const tensor = (shape: number[]): Tensor =>
      on.fromArray(random.normals(shape.reduce((a, b) => a * b)), "bf16", shape);
    const numTokens = qoLens.reduce((a, b) => a + b);
    const q = tensor([numTokens, heads.numQoHeads, heads.headDim]);
    const k = tensor([NUM_PAGES, pageSize, heads.numKvHeads, heads.headDim]);
    const v = tensor([NUM_PAGES, pageSize, heads.numKvHeads, heads.headDim]);
    const ids = Int32Array.from({ length: NUM_PAGES }, (_, i) => i * 7 % NUM_PAGES);
    let next = 0;
    const lists = kvLens.map((kvLen) => ids.subarray(next, next += Math.ceil(kvLen / pageSize)));
    const qoIndptr = [0];
    for (const qoLen of qoLens) qoIndptr.push(qoIndptr[qoIndptr.length - 1] + qoLen);
    return { q, k, v, qoIndptr, pages: pageTableFromLists(lists, kvLens, pageSize) };
  }

  for (const [pageSize, windowLeft] of [[16, -1], [32, 100], [128, -1], [8, -1]]) {
    it(`of pages of ${pageSize}, windowLeft ${windowLeft}: are not needed, and not trusted`, async () => {
      using stack = new DisposableStack();
      const random = new Random(pageSize);
      const { q, k, v, qoIndptr, pages } = inputs(device(), pageSize, random);
      for (const tensor of [q, k, v]) stack.use(tensor);
      const attention = stack.use(new BatchAttention(device(), { ...heads, dtype: "bf16", causal: true, windowLeft }));
      let numStarts = 0;
      const resultOf = async (change: (start: Int32Array, plan: Plan) => void): Promise<Float32Array> => {
        numStarts = 0;
        withStarts((start, plan) => {
          if (start[CTA_START.numTokens] > 0) numStarts++;
          change(start, plan);
        }, () => attention.plan({ qoIndptr, pages }));
        using out = attention.run({ q, cache: { k, v } });
        return await out.read() as Float32Array;
      };
      const right = await resultOf(() => {});
      assert.equal(numStarts > 0, device().kind === "cuda" && pageSize % 16 === 0);
      assert.deepEqual(await resultOf((start) => start.fill(0)), right, "results depend on starts");

      const otherPages = await resultOf((start) => {
        for (let word: number = CTA_START.page0; word < CTA_START.words; word++) {
          start[word] = (start[word] + 1) % NUM_PAGES;
        }
      });
      // That they are looked at at all.
      const isSame = otherPages.every((value, i) => value === right[i]);
      assert.equal(isSame, numStarts === 0 || !looksAtStarts());
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

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { argmax, InvalidArgumentError, sample, type SamplingParams } from "../../mod.ts";
import { IS_EMULATED, onEveryBackend } from "../support/backends.ts";
import { FLOAT_DTYPES, matrix } from "../support/matrix.ts";
import { Random } from "../support/random.ts";
import { keptProbabilities, mayDraw, philox4x32, type SamplerParams, uniformOf } from "../support/sampler.ts";

function argmaxOf(logits: ArrayLike<number>): number {
  let best = 0;
  const at = (i: number): number => Number.isNaN(logits[i]) ? -Infinity : logits[i];
  for (let i = 1; i < logits.length; i++) if (at(i) > at(best)) best = i;
  return best;
}

describe("philox4x32", () => {
  it("gives the published words", () => {
    // Known answers that the authors publish with their implementation (Random123, kat_vectors).
    assert.deepEqual(philox4x32([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const ones = 0xffffffff;
    assert.deepEqual(philox4x32([ones, ones, ones, ones], [ones, ones]), [
      0x408f276d,
      0x41c83b0e,
      0xa20bc7c6,
      0x6d5451fd,
    ]);
  });
});

onEveryBackend("argmax", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (
      const [numRows, vocabSize, gap] of [[1, 1, 0], [5, 2, 1], [17, 33, 3], [3, 1000, 1], [2, 49152, 5], [
        1,
        128257,
        0,
      ]]
    ) {
      it(`${dtype} [${numRows}, ${vocabSize}]`, async () => {
        using logits = matrix(
          device(),
          [numRows, vocabSize],
          dtype,
          gap,
          new Random(vocabSize).normals(numRows * vocabSize),
        );
        using out = argmax({ logits: logits.tensor });
        const expected = Array.from(
          { length: numRows },
          (_, row) => argmaxOf(logits.content.subarray(row * vocabSize, (row + 1) * vocabSize)),
        );
        assert.deepEqual([...await out.read()], expected);
      });
    }

    it(`${dtype}: ties, NaN and infinities`, async () => {
      const width = 100;
      const row = (values: Record<number, number>, rest: number): Float32Array => {
        const out = new Float32Array(width).fill(rest);
        for (const [i, value] of Object.entries(values)) out[Number(i)] = value;
        return out;
      };
      const rows: [Float32Array, number][] = [
        [row({ 70: 1, 99: 1, 31: 1 }, 0), 31],
        [row({}, 2), 0],
        [row({ 0: NaN, 64: NaN, 65: -3 }, -5), 65],
        [row({}, NaN), 0],
        [row({ 50: -1000 }, NaN), 50],
        [row({}, -Infinity), 0],
        [row({ 98: Infinity, 99: Infinity }, 5), 98],
        [row({ 3: -0, 4: 0 }, -1), 3],
      ];
      using logits = matrix(device(), [rows.length, width], dtype, 1, rows.flatMap(([values]) => [...values]));
      using out = argmax({ logits: logits.tensor });
      assert.deepEqual([...await out.read()], rows.map(([, expected]) => expected));
      const params = rows.map((): SamplingParams => ({ temperature: 0, topK: 1 }));
      using drawn = sample({ logits: logits.tensor, params });
      assert.deepEqual([...await drawn.read()], rows.map(([, expected]) => expected), "temperature 0");
    });
  }
});

/** f32 weights and sums: the place of the draw, and of the cuts, may be off by so much of the whole. */
const SLACK = 2 ** -18;

function isRight(logits: Float32Array, params: SamplerParams, token: number): boolean {
  const uniform = uniformOf(params);
  // The cut at top-p may fall one token earlier or later where the sum comes that close to it.
  return [0, SLACK, -SLACK].some((shift) => {
    const topP = params.topP === 1 ? 1 : Math.min(1 - 1e-12, Math.max(1e-12, params.topP + shift));
    return mayDraw(keptProbabilities(logits, { ...params, topP }), uniform, token, SLACK);
  });
}

onEveryBackend("sample", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (const vocabSize of [1, 2, 50, 1000, 5003]) {
      it(`${dtype}, vocabulary of ${vocabSize}: draws what the definition says`, async () => {
        const random = new Random(vocabSize);
        const numRows = 60;
        const params = Array.from({ length: numRows }, (): SamplerParams => ({
          temperature: random.pick([1, 0.7, 0.1, 3]),
          topK: random.pick([0, 0, 1, 5, 40, vocabSize, vocabSize + 9]),
          topP: random.pick([1, 1, 0.95, 0.5, 0.01]),
          seed: random.pick([0, 1, 123456789, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER]),
          step: random.pick([0, 1, 77, 0xffffffff, random.integer(0, 1e9)]),
        }));
        const values = random.normals(numRows * vocabSize, 2);
        for (let i = 0; i < vocabSize && vocabSize > 40; i += 7) values[i] = i % 2 === 0 ? NaN : -Infinity;
        // Ties at the cut of top-k: by lower index.
        if (vocabSize > 40) values.fill(1.5, vocabSize, 2 * vocabSize);
        using logits = matrix(device(), [numRows, vocabSize], dtype, 3, values);
        using out = sample({ logits: logits.tensor, params });
        const tokens = await out.read();
        params.forEach((row, i) => {
          const own = logits.content.subarray(i * vocabSize, (i + 1) * vocabSize);
          assert.ok(isRight(own, row, tokens[i]), `row ${i} drew ${tokens[i]} with ${JSON.stringify(row)}`);
        });
      });
    }
  }

  it("follows the distribution", async () => {
    const row = [0.3, -1, 2, 0.5, 1.4, -3, 0, 1];
    const numDraws = IS_EMULATED ? 400 : 20000;
    for (const cut of [{ topK: 0, topP: 1 }, { topK: 4, topP: 1 }, { topK: 0, topP: 0.8 }, { topK: 5, topP: 0.7 }]) {
      const params = Array.from(
        { length: numDraws },
        (_, step): SamplerParams => ({ temperature: 0.9, seed: 42, step, ...cut }),
      );
      using logits = device().fromArray(params.flatMap(() => row), "f32", [numDraws, row.length]);
      using out = sample({ logits, params });
      const counts = new Int32Array(row.length);
      for (const token of await out.read()) counts[token]++;
      keptProbabilities(row.map(Math.fround), params[0]).forEach((p, token) => {
        // Five standard deviations of a binomial count; the generator is seeded, so this is no matter of luck from run to run.
        const bound = 5 * Math.sqrt(numDraws * p * (1 - p));
        assert.ok(
          Math.abs(counts[token] - numDraws * p) <= bound,
          `token ${token}: ${counts[token]} draws, expected ${numDraws * p}`,
        );
      });
    }
  });

  it("draws by seed and step alone, whatever the rest of the batch", async () => {
    const random = new Random(5);
    const [numRows, vocabSize] = [32, 300];
    const values = random.normals(numRows * vocabSize);
    const params = Array.from(
      { length: numRows },
      (_, i): SamplingParams => ({ seed: 9, step: i, topP: 0.9, topK: 50 }),
    );
    using logits = device().fromArray(values, "bf16", [numRows, vocabSize]);
    using together = sample({ logits, params });
    const tokens = await together.read();
    for (const i of [0, 7, 31]) {
      using alone = sample({ logits: logits.slice(i, i + 1), params: [params[i]] });
      assert.deepEqual([...await alone.read()], [tokens[i]]);
    }
  });

  it("refuses parameters that mean nothing, naming row and value", () => {
    using logits = device().tensor([1, 10], "f32");
    const bad: [SamplingParams, RegExp][] = [
      [{ temperature: -1 }, /temperature of row 0 is -1/],
      [{ temperature: NaN }, /temperature of row 0 is NaN/],
      [{ topP: 0 }, /topP of row 0 is 0/],
      [{ topP: 1.1 }, /topP of row 0 is 1.1/],
      [{ topK: -1 }, /topK of row 0 is -1/],
      [{ topK: 2.5 }, /topK of row 0 is 2.5/],
      [{ seed: -3 }, /seed of row 0 is -3/],
      [{ seed: 2 ** 53 }, /seed of row 0/],
      [{ step: 2 ** 32 }, /step of row 0/],
    ];
    for (const [params, message] of bad) {
      assert.throws(
        () => sample({ logits, params: [params] }),
        (error: Error) => error instanceof InvalidArgumentError && message.test(error.message),
      );
    }
    assert.throws(() => sample({ logits, params: [] }), /0 sampling parameters for 1 rows/);
  });
});

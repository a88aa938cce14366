import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { ModelError } from "../../examples/model/errors.ts";
import { generate } from "../../examples/model/generation.ts";
import { LlamaModel } from "../../examples/model/llama.ts";
import { type Device, InvalidArgumentError, openDevice } from "../../mod.ts";
import { float, string, uint } from "../support/gguf_writer.ts";
import { referenceLogits } from "../support/llama_reference.ts";
import { allLogits } from "../support/model_logits.ts";
import { Random } from "../support/random.ts";
import { type TinyFeatures, tinyLlama } from "../support/tiny_llama.ts";

const device = await openDevice({ backend: "cpu" });
after(() => device.dispose());

const random = new Random(3);
const someIds = (count: number) => Array.from({ length: count }, () => random.integer(0, 39));
const load = (tiny: ReturnType<typeof tinyLlama>, maxTokens = 64, on: Device = device) =>
  LlamaModel.load(on, tiny.file, { dtype: "f32", maxTokens, maxLogits: maxTokens });

function checkClose(actual: Float32Array, expected: number[][]): void {
  expected.flat().forEach((value, i) => {
    assert.ok(Math.abs(value - actual[i]) < 2e-5 * (1 + Math.abs(value)), `logit ${i}: ${actual[i]}, not ${value}`);
  });
}

describe("LlamaModel", () => {
  const features: Record<string, TinyFeatures> = {
    "two query heads a KV head": {},
    "a KV head a query head, tied embeddings": { numKvHeads: 2, tied: true },
    "Llama 3's frequencies": { ropeFactors: true },
    "biases and a half that is not rotated": { biases: true, rotaryDim: 32 },
    "a sliding window": { window: 6 },
  };
  for (const [name, feature] of Object.entries(features)) {
    it(`computes the formulas: ${name}`, async () => {
      const tiny = tinyLlama(feature);
      using model = await load(tiny);
      const ids = someIds(20);
      checkClose(await allLogits(model, ids), referenceLogits(tiny.shape, tiny.weights, ids));
    });
  }

  it("divides frequencies by a linear factor", async () => {
    const tiny = tinyLlama({}, (metadata) => {
      metadata.set("llama.rope.scaling.type", string("linear")).set("llama.rope.scaling.factor", float(4));
    });
    using model = await load(tiny);
    const ids = someIds(20);
    const factors = new Float32Array(32).fill(4);
    const weights = new Map([...tiny.weights, ["rope_freqs.weight", factors]]);
    checkClose(await allLogits(model, ids), referenceLogits(tiny.shape, weights, ids));
  });

  it("refuses steps larger than it was loaded for", async () => {
    using model = await load(tinyLlama(), 8);
    await assert.rejects(
      allLogits(model, someIds(9)),
      (error: Error) =>
        error instanceof InvalidArgumentError &&
        /9 tokens with 9 rows of logits: the model was loaded for 8 and 8/.test(error.message),
    );
    assert.equal((await allLogits(model, someIds(8))).length, 8 * model.vocabSize);
  });

  it("gives all memory back, also when loading fails", async () => {
    const before = device.memoryUsage().numAllocations;
    const model = await load(tinyLlama());
    model.dispose();
    model.dispose();
    const lacking = tinyLlama({}, (_, tensors) => void tensors.delete("blk.1.ffn_down.weight"));
    await assert.rejects(load(lacking), /no tensor blk\.1\.ffn_down\.weight/);
    await device.synchronize();
    assert.equal(device.memoryUsage().numAllocations, before);
  });

  it("refuses models that it would compute wrongly, naming why", async () => {
    const cases: [Parameters<typeof tinyLlama>[1], RegExp][] = [
      [(metadata) => metadata.set("general.architecture", string("gemma")), /"gemma". Supported: "llama"/],
      [(metadata) => metadata.set("llama.expert_count", uint(8)), /mixture of experts/],
      [(metadata) => metadata.set("split.count", uint(2)), /split over several files/],
      [(metadata) => metadata.set("llama.rope.scaling.type", string("yarn")), /RoPE scaling is "yarn"/],
      [(metadata) => metadata.set("llama.attention.value_length", uint(32)), /keys have 64 elements, values 32/],
      [(metadata) => metadata.set("llama.attention.head_count", uint(0)), /head_count is 0/],
      [(metadata) => void metadata.delete("llama.block_count"), /lacks llama\.block_count/],
      [(metadata) => metadata.set("llama.feed_forward_length", uint(50)), /ffn_gate.*50|rows, not 100|does not fit/],
      [
        (_, tensors) => tensors.set("blk.0.attn_q_norm.weight", { dims: [64], values: new Float32Array(64) }),
        /attn_q_norm/,
      ],
      [
        (_, tensors) => tensors.set("rope_freqs.weight", { dims: [3], values: [1, 1, 1] }),
        /3 factors for 32 frequencies/,
      ],
      [
        (_, tensors) => tensors.set("output_norm.weight", { dims: [31], values: new Float32Array(31) }),
        /31 rows, not 32/,
      ],
    ];
    for (const [change, pattern] of cases) {
      await assert.rejects(async () => await load(tinyLlama({}, change)), (error: Error) => {
        assert.ok(error instanceof ModelError, `${error.name}: ${error.message}`);
        assert.match(error.message, pattern);
        return true;
      });
    }
    const linear = tinyLlama({}, (metadata) => {
      metadata.set("llama.rope.scaling.type", string("linear")).set("llama.rope.scaling.factor", float(0));
    });
    await assert.rejects(load(linear), /scaling factor is 0/);
  });
});

describe("generate", () => {
  const prompts = [someIds(3), someIds(17), someIds(1), someIds(30)];

  it("gives each prompt what the formulas give it alone", async () => {
    const tiny = tinyLlama();
    using model = await load(tiny);
    const { tokens } = await generate(model, { prompts, maxTokens: 6 });
    prompts.forEach((prompt, i) => {
      const ids = [...prompt];
      for (let t = 0; t < 6; t++) {
        const logits = referenceLogits(tiny.shape, tiny.weights, ids).at(-1)!;
        ids.push(logits.indexOf(Math.max(...logits)));
      }
      assert.deepEqual(tokens[i], ids.slice(prompt.length), `prompt ${i}`);
    });
  });

  it("gives the same however the prompts are cut into steps", async () => {
    using large = await load(tinyLlama());
    const whole = await generate(large, { prompts, maxTokens: 12 });
    for (const maxTokens of [4, 5, 23]) {
      using model = await load(tinyLlama(), maxTokens);
      const cut = await generate(model, { prompts, maxTokens: 12 });
      assert.deepEqual(cut.tokens, whole.tokens, `steps of ${maxTokens}`);
    }
    assert.equal(whole.prefillTokens, 51);
    assert.equal(whole.decodeTokens, 4 * 11);
  });

  it("ends each sequence at its stop token and goes on with the others", async () => {
    using model = await load(tinyLlama());
    const { tokens: free } = await generate(model, { prompts, maxTokens: 20 });
    const stopIds = new Set([free[0][0], free[1][4], free[3][9]]);
    const expected = free.map((ids) => {
      const stop = ids.findIndex((id) => stopIds.has(id));
      return stop < 0 ? ids : ids.slice(0, stop);
    });
    const streamed: number[][] = prompts.map(() => []);
    const ended: number[] = [];
    const { tokens } = await generate(model, {
      prompts,
      maxTokens: 20,
      stopIds,
      onToken: (i, id) => streamed[i].push(id),
      onEnd: (i) => ended.push(i),
    });
    assert.deepEqual(tokens, expected);
    assert.deepEqual(streamed, expected);
    assert.deepEqual(ended.sort(), [0, 1, 2, 3]);
    assert.equal(tokens[0].length, 0);
  });

  it("draws the same with the same seed, whatever else is in the batch", async () => {
    using model = await load(tinyLlama());
    const sampling = { temperature: 0.9, topK: 20, topP: 0.95, seed: 11 };
    const first = await generate(model, { prompts, maxTokens: 8, sampling });
    assert.deepEqual((await generate(model, { prompts, maxTokens: 8, sampling })).tokens, first.tokens);
    const alone = await generate(model, { prompts: [prompts[2]], maxTokens: 8, sampling: { ...sampling, seed: 13 } });
    assert.deepEqual(alone.tokens[0], first.tokens[2]);
    const other = await generate(model, { prompts, maxTokens: 8, sampling: { ...sampling, seed: 99 } });
    assert.notDeepEqual(other.tokens, first.tokens);
  });

  it("refuses prompts that don't fit", async () => {
    using model = await load(tinyLlama());
    await assert.rejects(generate(model, { prompts: [], maxTokens: 5 }), /number of prompts is 0/);
    await assert.rejects(generate(model, { prompts: [[1], []], maxTokens: 5 }), /prompt 1 has 0 tokens/);
    await assert.rejects(generate(model, { prompts: [someIds(250)], maxTokens: 7 }), /takes 1 to 249/);
    await assert.rejects(generate(model, { prompts: [[1]], maxTokens: 0 }), /maxTokens is 0/);
  });
});

/**
 * A real model against an independent implementation: SmolLM2 in flashpage beside transformers (tests/golden/smollm2_logits.json, made by
 * scripts/golden/smollm2_logits.py). The model is fetched as the demo does it.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { ChatTemplate } from "../../examples/model/chat.ts";
import { fetchModel, SMOLLM2 } from "../../examples/model/fetch_model.ts";
import { generate } from "../../examples/model/generation.ts";
import { GgufFile } from "../../examples/model/gguf.ts";
import { LlamaModel } from "../../examples/model/llama.ts";
import { ModelTokenizer } from "../../examples/model/tokenizer.ts";
import { type Device, type DType, openDevice, UnavailableError } from "../../mod.ts";
import { golden } from "../support/golden.ts";
import { allLogits } from "../support/model_logits.ts";

interface Greedy {
  promptIds: number[];
  tokens: number[];
}

const expected = golden<{
  made: { modelSha256: string };
  text: string;
  ids: number[];
  sampledIds: number[];
  positions: { position: number; topIds: number[]; topLogits: number[]; sampledLogits: number[] }[];
  question: string;
  greedy: { text: Greedy; chat: Greedy };
}>("smollm2_logits.json");
const tokenCases = golden<{ cases: { text: string; ids: number[] }[] }>("smollm2_tokens.json").cases;

const cpu = await openDevice({ backend: "cpu" });
const cuda = await openDevice({ backend: "cuda" }).catch((error: Error) => {
  if (error instanceof UnavailableError) return undefined;
  throw error;
});
const file = GgufFile.open(await fetchModel());
after(() => {
  file[Symbol.dispose]();
  cpu.dispose();
  cuda?.dispose();
});

/** Largest errors of a logit, several times what was seen: 3e-5, 0.06, 0.28. Logits have a standard deviation of 8.6. */
const TOLERANCE: Partial<Record<DType, number>> = { f32: 2e-4, f16: 0.2, bf16: 0.6 };

const load = (device: Device, dtype: DType) => LlamaModel.load(device, file, { dtype, maxTokens: 128, maxLogits: 128 });

async function checkLogits(device: Device, dtype: DType): Promise<void> {
  using model = await load(device, dtype);
  const logits = await allLogits(model, expected.ids);
  for (const { position, topIds, topLogits, sampledLogits } of expected.positions) {
    const row = logits.subarray(position * model.vocabSize, (position + 1) * model.vocabSize);
    const pairs = [
      ...topIds.map((id, i) => [id, topLogits[i]]),
      ...expected.sampledIds.map((id, i) => [id, sampledLogits[i]]),
    ];
    for (const [id, value] of pairs) {
      assert.ok(
        Math.abs(row[id] - value) <= TOLERANCE[dtype]!,
        `${dtype} on ${device.kind}, position ${position}, token ${id}: ${row[id]}, not ${value}`,
      );
    }
  }
}

/**
 * Two greedy continuations are equal, up to the first place where the model itself is undecided: there its logits of the two tokens
 * differ by less than the tolerance, and what follows has no reason to agree.
 */
async function checkSameGreedy(
  model: LlamaModel,
  promptIds: number[],
  actual: readonly number[],
  wanted: readonly number[],
): Promise<void> {
  const place = wanted.findIndex((id, i) => actual[i] !== id);
  if (place < 0) return;
  const ids = [...promptIds, ...wanted.slice(0, place)];
  const last = (await allLogits(model, ids)).subarray((ids.length - 1) * model.vocabSize);
  const gap = Math.abs(last[actual[place]] - last[wanted[place]]);
  assert.ok(
    gap <= TOLERANCE[model.dtype]!,
    `token ${place} is ${actual[place]}, not ${wanted[place]}, and their logits differ by ${gap}`,
  );
}

async function checkGreedy(device: Device, dtype: DType): Promise<void> {
  using model = await load(device, dtype);
  const cases = Object.values(expected.greedy);
  const maxTokens = cases[0].tokens.length;
  const { tokens } = await generate(model, { prompts: cases.map(({ promptIds }) => promptIds), maxTokens });
  for (const [i, { promptIds, tokens: wanted }] of cases.entries()) {
    assert.equal(tokens[i].length, wanted.length);
    await checkSameGreedy(model, promptIds, tokens[i], wanted);
  }
}

describe("SmolLM2", () => {
  it("is the file that the golden data is of", () => assert.equal(SMOLLM2.sha256, expected.made.modelSha256));

  it("is tokenized as by transformers, chat template included", () => {
    const tokenizer = new ModelTokenizer(file.metadata);
    for (const { text, ids } of tokenCases) assert.deepEqual(tokenizer.encode(text), ids, JSON.stringify(text));
    assert.deepEqual(tokenizer.encode(expected.text), expected.ids);
    const template = ChatTemplate.from(file.metadata, tokenizer)!;
    const chat = template.render([{ role: "user", content: expected.question }]);
    assert.deepEqual(tokenizer.encode(chat), expected.greedy.chat.promptIds);
  });

  it("has the logits of transformers in f32", () => checkLogits(cpu, "f32"));
  it("has nearly the logits of transformers in f16", () => checkLogits(cpu, "f16"));
  it("has nearly the logits of transformers in bf16", () => checkLogits(cpu, "bf16"));
  it("continues texts as transformers does, in f32", () => checkGreedy(cpu, "f32"));
  it("continues texts as transformers does, in bf16", () => checkGreedy(cpu, "bf16"));

  it("answers, and stops", async () => {
    const tokenizer = new ModelTokenizer(file.metadata);
    using model = await load(cpu, "bf16");
    const prompts = [expected.greedy.chat.promptIds];
    const { tokens } = await generate(model, { prompts, maxTokens: 24, stopIds: tokenizer.stopIds });
    assert.equal(tokenizer.decode(tokens[0]), "The capital of France is Paris.");
  });
});

describe("SmolLM2 on CUDA", { skip: cuda === undefined ? "no CUDA device" : false }, () => {
  it("has nearly the logits of transformers in f16", () => checkLogits(cuda!, "f16"));
  it("has nearly the logits of transformers in bf16", () => checkLogits(cuda!, "bf16"));
  it("continues texts as transformers does, in bf16", () => checkGreedy(cuda!, "bf16"));

  it("continues texts as the CPU does", async () => {
    using here = await load(cpu, "bf16");
    using there = await load(cuda!, "bf16");
    const prompts = tokenCases.map(({ ids }) => ids);
    const options = { prompts, maxTokens: 16 };
    const [ours, theirs] = [(await generate(here, options)).tokens, (await generate(there, options)).tokens];
    for (const [i, prompt] of prompts.entries()) await checkSameGreedy(here, prompt, theirs[i], ours[i]);
  });
});

/**
 * Generates text for several prompts at once with a real model:
 *
 *   deno task demo                        SmolLM2-135M-Instruct, fetched once
 *   deno task demo --model FILE --prompt "Why is the sky blue?"
 *   bun examples/generate.ts --help
 */
import process from "node:process";
import { FlashpageError, openDevice } from "../mod.ts";
import { ChatTemplate } from "./model/chat.ts";
import { fetchModel } from "./model/fetch_model.ts";
import { generate } from "./model/generation.ts";
import { GgufFile } from "./model/gguf.ts";
import { LlamaModel } from "./model/llama.ts";
import { type Options, parseOptions, USAGE } from "./model/options.ts";
import { ProgressBar } from "./model/progress.ts";
import { TextPrinter } from "./model/stream_text.ts";
import { ModelTokenizer, TextStream } from "./model/tokenizer.ts";

/** Prompt tokens of one step, at most: bounds the memory of the activations. */
const MAX_STEP_TOKENS = 1024;

async function main(options: Options): Promise<void> {
  using device = await openDevice({ backend: options.backend, numThreads: options.threads });
  console.log(`Device: ${device.name} (${device.kind}; ${device.reason})`);
  using file = GgufFile.open(options.model ?? await fetchModel());
  const tokenizer = new ModelTokenizer(file.metadata);
  const template = options.raw ? undefined : ChatTemplate.from(file.metadata, tokenizer);
  const texts = Array.from({ length: options.batch }, (_, i) => options.prompts[i % options.prompts.length]);
  const prompts = texts.map((text) =>
    tokenizer.encode(template === undefined ? text : template.render([{ role: "user", content: text }]))
  );

  const numPromptTokens = prompts.reduce((sum, { length }) => sum + length, 0);
  const start = performance.now();
  const bar = new ProgressBar("Loading the model");
  using model = await LlamaModel.load(device, file, {
    dtype: options.dtype,
    maxTokens: Math.max(options.batch, Math.min(MAX_STEP_TOKENS, numPromptTokens)),
    maxLogits: options.batch,
    onProgress: (share) => bar.update(share),
  });
  bar.end(`${((performance.now() - start) / 1000).toFixed(1)} s, in ${options.dtype}`);

  console.log();
  const printer = new TextPrinter(texts.map((text) => `> ${text}`), (text) => process.stdout.write(text));
  const streams = texts.map(() => new TextStream(tokenizer));
  const { temperature, topK, topP, seed } = options;
  const result = await generate(model, {
    prompts,
    maxTokens: options.maxTokens,
    stopIds: tokenizer.stopIds,
    sampling: { temperature, topK, topP, seed },
    onToken: (i, id) => printer.add(i, streams[i].push(id)),
    onEnd: (i) => {
      printer.add(i, streams[i].flush());
      printer.end(i);
    },
  });
  const { prefillTokens, prefillSeconds, decodeTokens, decodeSeconds } = result;
  console.log(speed("prefill", prefillTokens, prefillSeconds, options.batch));
  console.log(speed("decode", decodeTokens, decodeSeconds, options.batch));
}

function speed(phase: string, tokens: number, seconds: number, batch: number): string {
  const rate = tokens === 0 ? 0 : tokens / seconds;
  const sequences = `${batch} sequence${batch === 1 ? "" : "s"}`;
  return `${phase}: ${tokens} tokens of ${sequences} in ${seconds.toFixed(2)} s, ${rate.toFixed(0)} tokens/s`;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else await main(options);
} catch (error) {
  // What flashpage throws on purpose says what to do; anything else is a defect, and its stack helps.
  console.error(error instanceof FlashpageError ? error.message : error);
  process.exitCode = 1;
}

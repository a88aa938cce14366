/**
 * node-llama-cpp on a GGUF file: tokens/s of a prompt, and of decoding several sequences at once. Prints one line of JSON. Run by model_bench.ts, or alone:
 *
 *   npm install --ignore-scripts && node peer.mjs MODEL.gguf [threads] [promptTokens] [tries]
 */
import process from "node:process";
import { getLlama } from "node-llama-cpp";

const [modelPath, threads = "2", promptTokens = "512", tries = "3"] = process.argv.slice(2);
const numThreads = Number(threads);
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: numThreads });
const model = await llama.loadModel({ modelPath });
const text = "The quick brown fox jumps over the lazy dog and then runs far away into the forest. ";
const tokens = model.tokenize(text.repeat(Number(promptTokens) / 8)).slice(0, Number(promptTokens));
const DECODE_PROMPT = 12;
const DECODE_TOKENS = 64;

async function prefill() {
  const context = await model.createContext({ contextSize: 2048, batchSize: tokens.length, threads: numThreads });
  const sequence = context.getSequence();
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(tokens);
  const rate = tokens.length / (performance.now() - start) * 1000;
  await context.dispose();
  return rate;
}

async function decode(numSequences) {
  const context = await model.createContext({
    contextSize: 256,
    batchSize: 256,
    threads: numThreads,
    sequences: numSequences,
  });
  const sequences = Array.from({ length: numSequences }, () => context.getSequence());
  await Promise.all(
    sequences.map((sequence) => sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(0, DECODE_PROMPT - 1))),
  );
  const start = performance.now();
  await Promise.all(sequences.map(async (sequence) => {
    let count = 0;
    for await (const _ of sequence.evaluate([tokens[DECODE_PROMPT - 1]], { temperature: 0, yieldEogToken: true })) {
      if (++count === DECODE_TOKENS) break;
    }
  }));
  const rate = numSequences * DECODE_TOKENS / (performance.now() - start) * 1000;
  await context.dispose();
  return rate;
}

async function best(measure) {
  let rate = 0;
  for (let i = 0; i < Number(tries); i++) rate = Math.max(rate, await measure());
  return rate;
}

const result = { prefill: await best(prefill) };
for (const count of [1, 4, 8]) result[`decode${count}`] = await best(() => decode(count));
console.log(JSON.stringify(result));
process.exit(0);

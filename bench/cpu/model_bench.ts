/**
 * SmolLM2-135M on the CPU: tokens/s of a 512-token prompt and of decoding 1, 4 and 8 sequences, beside node-llama-cpp on the same file and as many
 * threads. Its weights stay in 4 bits, ours are unpacked to bf16.
 *
 *   (cd bench/cpu/llama_cpp_peer && npm install --ignore-scripts)
 *   deno run -A bench/cpu/model_bench.ts --model FILE [--threads 2] [--tries 3] [--no-peer] [--json FILE]
 */
import { openDevice } from "../../mod.ts";
import { generate } from "../../examples/model/generation.ts";
import { GgufFile } from "../../examples/model/gguf.ts";
import { LlamaModel } from "../../examples/model/llama.ts";
import { ModelTokenizer } from "../../examples/model/tokenizer.ts";
import { flag, formatCase, option } from "../support/cases.ts";
import { printRows, type ResultRow, writeResults } from "../support/results.ts";

const PROMPT_TOKENS = 512;
const DECODE_PROMPT = 12;
const DECODE_TOKENS = 65;
const PEER = "node-llama-cpp 3.22.1 (4-bit weights)";

type PeerRates = Partial<Record<"prefill" | "decode1" | "decode4" | "decode8", number>>;

async function measurePeer(path: string, threads: number, tries: number): Promise<PeerRates> {
  const script = new URL("llama_cpp_peer/peer.mjs", import.meta.url).pathname;
  const args = [script, path, `${threads}`, `${PROMPT_TOKENS}`, `${tries}`];
  const { success, stdout, stderr } = await new Deno.Command("node", { args }).output();
  if (!success) throw new Error(`Cannot measure node-llama-cpp: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const path = option("model");
if (path === undefined) {
  console.error("Pass --model FILE, a GGUF of SmolLM2-135M-Instruct.");
  Deno.exit(2);
}
const threads = Number(option("threads") ?? navigator.hardwareConcurrency);
const tries = Number(option("tries") ?? 3);
const peer = flag("no-peer") ? {} : await measurePeer(path, threads, tries);

using device = await openDevice({ backend: "cpu", numThreads: threads });
using file = GgufFile.open(path);
const tokenizer = new ModelTokenizer(file.metadata);
using model = await LlamaModel.load(device, file, { dtype: "bf16", maxTokens: PROMPT_TOKENS, maxLogits: 8 });
const text = "The quick brown fox jumps over the lazy dog and then runs far away into the forest. ";
const tokens = tokenizer.encode(text.repeat(PROMPT_TOKENS / 8)).slice(0, PROMPT_TOKENS);

/** The best rate of several tries, and those before the first do not count: they bring memory in. */
async function best(measure: () => Promise<number>): Promise<number> {
  await measure();
  let rate = 0;
  for (let i = 0; i < tries; i++) rate = Math.max(rate, await measure());
  return rate;
}

const rows: ResultRow[] = [];
function add(kind: string, params: Record<string, number | string>, ours: number, theirs: number | undefined): void {
  const row: ResultRow = {
    case: formatCase({ kind, params: { model: "smollm2-135m", ...params, dtype: "bf16", threads } }),
    metric: "throughput",
    unit: "tokens/s",
    ours,
    peers: theirs === undefined ? {} : { [PEER]: theirs },
    roofline: null,
  };
  rows.push(row);
  printRows([row]);
}

const prefill = await best(async () => {
  const { prefillTokens, prefillSeconds } = await generate(model, { prompts: [tokens], maxTokens: 1 });
  return prefillTokens / prefillSeconds;
});
add("prefill", { b: 1, l: PROMPT_TOKENS }, prefill, peer.prefill);
for (const count of [1, 4, 8] as const) {
  const prompts = Array.from({ length: count }, () => tokens.slice(0, DECODE_PROMPT));
  const rate = await best(async () => {
    const { decodeTokens, decodeSeconds } = await generate(model, { prompts, maxTokens: DECODE_TOKENS });
    return decodeTokens / decodeSeconds;
  });
  add("decode", { b: count }, rate, peer[`decode${count}`]);
}
const output = option("json");
if (output !== undefined) writeResults(output, device, rows);

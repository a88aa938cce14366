/** The command line of generate.ts. */
import { parseArgs } from "node:util";
import { type DType, FlashpageError } from "../../mod.ts";

/** What the user asked for. */
export interface Options {
  /** GGUF file; SmolLM2 is fetched by default. */
  model: string | undefined;
  prompts: string[];
  /** Sequences at once; the prompts are used in turn. */
  batch: number;
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
  backend: "auto" | "cpu" | "cuda";
  dtype: DType;
  /** CPU threads; 0 for one a core. */
  threads: number;
  /** Continue the prompts as plain text, without the chat template. */
  raw: boolean;
}

/** What --help prints. */
export const USAGE = `Generates text for several prompts at once.

  --model FILE       a Llama-family GGUF file (default: SmolLM2-135M-Instruct, fetched once)
  --prompt TEXT      may be given several times
  --batch N          sequences at once; the prompts are used in turn (default: one for each prompt)
  --max-tokens N     tokens to generate for each, at most (default: 64)
  --temperature X    0 takes the most probable token (default: 0)
  --top-k N          draw from the N most probable tokens; 0 from all (default: 0)
  --top-p X          draw from the most probable tokens that together reach X (default: 1)
  --seed N           of the random numbers (default: 0)
  --backend NAME     auto, cpu or cuda (default: auto)
  --dtype NAME       what weights are unpacked to: bf16, f16, or f32 on the CPU (default: bf16)
  --threads N        of the CPU; 0 for one a core (default: 0)
  --raw              continue the prompts as plain text instead of answering them
  --help             print this`;

/** A command line that can't be understood. */
export class UsageError extends FlashpageError {
  constructor(message: string) {
    super(`${message} See --help.`, { code: "UsageError" });
  }
}

const DEFAULT_PROMPTS = [
  "What is the capital of France?",
  "Why is the sky blue? Answer in two sentences.",
  "Write a haiku about the sea.",
  "Name three uses of a paper clip.",
];

/** Reads a command line; undefined for --help. @throws {UsageError} naming the flag, its value and what is possible. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const values = readFlags(args);
  if (values.help) return undefined;
  const prompts = values.prompt ?? DEFAULT_PROMPTS;
  if (prompts.includes("")) throw new UsageError("Cannot use --prompt: it is empty.");
  const batch = integer("batch", values.batch, prompts.length, 1);
  if (batch < prompts.length) {
    throw new UsageError(`Cannot use --batch ${batch}: there are ${prompts.length} prompts. Pass that number or more.`);
  }
  return {
    model: values.model,
    prompts,
    batch,
    maxTokens: integer("max-tokens", values["max-tokens"], 64, 1),
    temperature: number("temperature", values.temperature, 0, (value) => value >= 0, ">= 0"),
    topK: integer("top-k", values["top-k"], 0, 0),
    topP: number("top-p", values["top-p"], 1, (value) => value > 0 && value <= 1, "> 0 and <= 1"),
    seed: integer("seed", values.seed, 0, 0),
    backend: choice("backend", values.backend, ["auto", "cpu", "cuda"]),
    dtype: choice("dtype", values.dtype, ["bf16", "f16", "f32"]),
    threads: integer("threads", values.threads, 0, 0),
    raw: values.raw ?? false,
  };
}

function readFlags(args: readonly string[]) {
  try {
    const string = { type: "string" } as const;
    const { values } = parseArgs({
      args: [...args],
      options: {
        model: string,
        prompt: { type: "string", multiple: true },
        batch: string,
        "max-tokens": string,
        temperature: string,
        "top-k": string,
        "top-p": string,
        seed: string,
        backend: string,
        dtype: string,
        threads: string,
        raw: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(`Cannot read the command line: ${(error as Error).message}.`);
  }
}

function number(
  flag: string,
  text: string | undefined,
  fallback: number,
  accepts: (value: number) => boolean,
  range: string,
): number {
  if (text === undefined) return fallback;
  const value = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(value) || !accepts(value)) {
    throw new UsageError(`Cannot use --${flag} ${text}: pass a number ${range}.`);
  }
  return value;
}

function integer(flag: string, text: string | undefined, fallback: number, min: number): number {
  if (text === undefined) return fallback;
  if (!/^\d+$/.test(text) || Number(text) < min || !Number.isSafeInteger(Number(text))) {
    throw new UsageError(`Cannot use --${flag} ${text}: pass an integer >= ${min}.`);
  }
  return Number(text);
}

/** One of some names; the first by default. */
function choice<Name extends string>(flag: string, text: string | undefined, names: readonly Name[]): Name {
  const found = text === undefined ? names[0] : names.find((name) => name === text);
  if (found === undefined) throw new UsageError(`Cannot use --${flag} ${text}: pass one of ${names.join(", ")}.`);
  return found;
}

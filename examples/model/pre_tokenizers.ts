/**
 * How byte-level BPE models cut text into words before merging, by the name in `tokenizer.ggml.pre`.
 *
 * The patterns are those of the models' own tokenizers, in Oniguruma syntax as @huggingface/tokenizers takes them.
 */
import { ModelError } from "./errors.ts";

/** GPT-2's words: contractions, letters, numbers, other marks, whitespace. */
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** Llama 3's: contractions in any case, digits by `digits`, line breaks kept with the marks before them. */
const llama3 = (digits: string): string =>
  String
    .raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** Mistral's Tekken: words also end where case rises. */
const [UPPER, LOWER] = [String.raw`\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}`, String.raw`\p{Ll}\p{Lm}\p{Lo}\p{M}`];
const TEKKEN = String
  .raw`[^\r\n\p{L}\p{N}]?[${UPPER}]*[${LOWER}]+|[^\r\n\p{L}\p{N}]?[${UPPER}]+[${LOWER}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** A way to cut text: patterns applied one after another. */
export interface PreTokenizer {
  readonly patterns: readonly string[];
  /** A word that is a token as it stands is not built by merges. */
  readonly ignoreMerges: boolean;
  /** Texts begin with the beginning-of-sequence token unless the file says otherwise. */
  readonly addsBos: boolean;
}

const gpt2: PreTokenizer = { patterns: [GPT2], ignoreMerges: false, addsBos: false };
const singleDigits: PreTokenizer = { patterns: [String.raw`\p{N}`, GPT2], ignoreMerges: false, addsBos: false };
const llamaBpe: PreTokenizer = { patterns: [llama3(String.raw`\p{N}{1,3}`)], ignoreMerges: true, addsBos: true };

const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  "gpt-2": gpt2,
  "smollm": singleDigits,
  "starcoder": singleDigits,
  "refact": singleDigits,
  "codeshell": singleDigits,
  "command-r": singleDigits,
  "llama-bpe": llamaBpe,
  "llama3": llamaBpe,
  "llama-v3": llamaBpe,
  "qwen2": { patterns: [llama3(String.raw`\p{N}`)], ignoreMerges: false, addsBos: false },
  "tekken": { patterns: [TEKKEN], ignoreMerges: true, addsBos: true },
};

/** @throws {ModelError} for a name that is not known: cutting otherwise would give the model words it was not trained on. */
export function preTokenizer(name: string): PreTokenizer {
  if (!Object.hasOwn(PRE_TOKENIZERS, name)) {
    throw new ModelError(
      `Cannot tokenize: the model's pre-tokenizer is "${name}". Supported: ${Object.keys(PRE_TOKENIZERS).join(", ")}.`,
    );
  }
  return PRE_TOKENIZERS[name];
}

/** Text to tokens and back, with the vocabulary of a GGUF file. */
import { Tokenizer } from "@huggingface/tokenizers";
import type { Metadata } from "./metadata.ts";
import { tokenizerParts } from "./tokenizer_json.ts";

/** Names of tokens that end a turn or a text, in the models that have them. */
const STOP_TOKENS = ["</s>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>"];

/** A model's tokenizer. */
export class ModelTokenizer {
  readonly vocabSize: number;
  /** Tokens that end generation. */
  readonly stopIds: ReadonlySet<number>;
  /** Text of the beginning-of-sequence token; "" if there is none. */
  readonly bosToken: string;
  /** Text of the end-of-sequence token; "" if there is none. */
  readonly eosToken: string;
  readonly #tokenizer: Tokenizer;
  readonly #controlIds: ReadonlySet<number>;
  /** Put before every text; undefined if the model wants none. */
  readonly #bosId: number | undefined;

  /** @throws {ModelError} for a tokenizer that is not supported. */
  constructor(metadata: Metadata) {
    const { json, tokens, addsBos, controlIds } = tokenizerParts(metadata);
    this.#tokenizer = new Tokenizer(json, { clean_up_tokenization_spaces: false });
    this.#controlIds = controlIds;
    this.vocabSize = tokens.length;
    const id = (name: string): number => metadata.integer(`tokenizer.ggml.${name}_token_id`, -1);
    this.#bosId = addsBos && id("bos") >= 0 ? id("bos") : undefined;
    this.bosToken = tokens[id("bos")] ?? "";
    this.eosToken = tokens[id("eos")] ?? "";
    const byName = STOP_TOKENS.map((name) => tokens.indexOf(name)).filter((found) => controlIds.has(found));
    this.stopIds = new Set([...byName, id("eos"), id("eot"), id("eom")].filter((found) => found >= 0));
  }

  /** The tokens of a text. Names of control tokens in it count as these tokens, as chat templates need it. */
  encode(text: string): number[] {
    const { ids } = this.#tokenizer.encode(text, { add_special_tokens: false });
    if (this.#bosId !== undefined && ids[0] !== this.#bosId) ids.unshift(this.#bosId);
    return ids;
  }

  /** The text of tokens; control tokens are left out. SentencePiece models begin words, so also the first, with a space. */
  decode(ids: readonly number[]): string {
    const shown = ids.filter((id) => !this.#controlIds.has(id));
    return shown.length === 0 ? "" : this.#tokenizer.decode(shown);
  }
}

/** Turns tokens that come one by one into text. A character whose bytes are spread over tokens appears when it is whole. */
export class TextStream {
  readonly #tokenizer: ModelTokenizer;
  #pending: number[] = [];

  constructor(tokenizer: ModelTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Text that this token completes; may be "". */
  push(id: number): string {
    this.#pending.push(id);
    const text = this.#tokenizer.decode(this.#pending);
    return text.endsWith("\ufffd") ? "" : this.#take(text);
  }

  /** What is left at the end: broken characters as U+FFFD. */
  flush(): string {
    return this.#take(this.#tokenizer.decode(this.#pending));
  }

  #take(text: string): string {
    this.#pending = [];
    return text;
  }
}

/** A GGUF file's vocabulary in the form of Hugging Face's tokenizer.json, which @huggingface/tokenizers reads. */
import { ModelError } from "./errors.ts";
import type { Metadata } from "./metadata.ts";
import { preTokenizer } from "./pre_tokenizers.ts";

/** Kinds of tokens, as `tokenizer.ggml.token_type` counts them. */
const TokenType = { NORMAL: 1, UNKNOWN: 2, CONTROL: 3, USER_DEFINED: 4, UNUSED: 5, BYTE: 6 } as const;

/** What a tokenizer is made of. */
export interface TokenizerParts {
  /** tokenizer.json */
  readonly json: Record<string, unknown>;
  /** All tokens by id. */
  readonly tokens: readonly string[];
  /** Whether a text begins with the beginning-of-sequence token. */
  readonly addsBos: boolean;
  /** Ids of control tokens, which are never shown. */
  readonly controlIds: ReadonlySet<number>;
}

/** Reads the vocabulary. @throws {ModelError} for a tokenizer family that is not supported. */
export function tokenizerParts(metadata: Metadata): TokenizerParts {
  const tokens = metadata.strings("tokenizer.ggml.tokens");
  const types = metadata.has("tokenizer.ggml.token_type")
    ? metadata.numbers("tokenizer.ggml.token_type")
    : tokens.map(() => TokenType.NORMAL);
  if (types.length !== tokens.length) {
    throw new ModelError(`Cannot tokenize: the file has ${tokens.length} tokens and ${types.length} token types.`);
  }
  const family = metadata.string("tokenizer.ggml.model");
  if (family !== "gpt2" && family !== "llama") {
    throw new ModelError(
      `Cannot tokenize: the model's tokenizer is "${family}". Supported: "gpt2" (byte-level BPE) and "llama" (SentencePiece BPE).`,
    );
  }
  const { parts, addsBos } = family === "gpt2" ? byteLevelBpe(metadata) : sentencePieceBpe(metadata, tokens, types);
  const controlIds = new Set<number>();
  const addedTokens: unknown[] = [];
  tokens.forEach((content, id) => {
    const special = types[id] === TokenType.CONTROL;
    if (special) controlIds.add(id);
    if (special || types[id] === TokenType.USER_DEFINED) addedTokens.push({ id, content, special, normalized: false });
  });
  return {
    json: {
      added_tokens: addedTokens,
      post_processor: null,
      ...parts,
      model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), ...parts.model },
    },
    tokens,
    addsBos: metadata.boolean("tokenizer.ggml.add_bos_token", addsBos),
    controlIds,
  };
}

interface Family {
  parts: { model: Record<string, unknown>; normalizer: unknown; pre_tokenizer: unknown; decoder: unknown };
  addsBos: boolean;
}

function byteLevelBpe(metadata: Metadata): Family {
  const { patterns, ignoreMerges, addsBos } = preTokenizer(metadata.string("tokenizer.ggml.pre", "gpt-2"));
  const splits = patterns.map((pattern) => ({
    type: "Split",
    pattern: { Regex: pattern },
    behavior: "Isolated",
    invert: false,
  }));
  const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  return {
    parts: {
      model: { merges: metadata.strings("tokenizer.ggml.merges"), ignore_merges: ignoreMerges },
      normalizer: null,
      pre_tokenizer: { type: "Sequence", pretokenizers: [...splits, bytes] },
      decoder: { type: "ByteLevel" },
    },
    addsBos,
  };
}

function sentencePieceBpe(metadata: Metadata, tokens: readonly string[], types: readonly number[]): Family {
  const addsSpace = metadata.boolean("tokenizer.ggml.add_space_prefix", true);
  const spaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const unknown = tokens[types.indexOf(TokenType.UNKNOWN)];
  return {
    parts: {
      model: {
        merges: mergesFromScores(tokens, types, metadata.numbers("tokenizer.ggml.scores")),
        byte_fallback: true,
        unk_token: unknown,
      },
      normalizer: {
        type: "Sequence",
        normalizers: addsSpace ? [{ type: "Prepend", prepend: "▁" }, spaces] : [spaces],
      },
      pre_tokenizer: null,
      decoder: {
        type: "Sequence",
        decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, {
          type: "Fuse",
        }],
      },
    },
    addsBos: true,
  };
}

/**
 * The merges of a SentencePiece BPE model. It stores none: any two neighbours may merge whose union is a piece, the best score first.
 *
 * @returns pairs, the first to be merged first.
 */
function mergesFromScores(tokens: readonly string[], types: readonly number[], scores: readonly number[]): string[][] {
  if (scores.length !== tokens.length) {
    throw new ModelError(`Cannot tokenize: the file has ${tokens.length} tokens and ${scores.length} scores.`);
  }
  const isPiece = (id: number): boolean => types[id] === TokenType.NORMAL;
  const pieces = new Set(tokens.filter((_, id) => isPiece(id)));
  const merges: { pair: string[]; score: number }[] = [];
  tokens.forEach((token, id) => {
    if (!isPiece(id)) return;
    for (let cut = 1; cut < token.length; cut++) {
      const pair = [token.slice(0, cut), token.slice(cut)];
      if (pieces.has(pair[0]) && pieces.has(pair[1])) merges.push({ pair, score: scores[id] });
    }
  });
  return merges.sort((a, b) => b.score - a.score).map(({ pair }) => pair);
}

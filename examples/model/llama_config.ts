/** The shape of a Llama-family model, from a GGUF file's metadata. */
import { ModelError } from "./errors.ts";
import type { Metadata } from "./metadata.ts";

/** Hyperparameters. */
export interface LlamaConfig {
  readonly numLayers: number;
  /** Width of the residual stream. */
  readonly dim: number;
  /** Width inside the feed-forward network. */
  readonly ffnDim: number;
  readonly numQoHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Tokens that the model was trained to see. */
  readonly contextLength: number;
  readonly normEps: number;
  readonly rope: {
    /** Rotated elements of a head. */
    readonly rotaryDim: number;
    readonly theta: number;
    /** Frequencies are divided by it. */
    readonly linearFactor: number;
  };
  /** How far back a token sees; undefined if to the beginning. */
  readonly windowLeft: number | undefined;
}

/** Reads and checks the hyperparameters. @throws {ModelError} naming the key that is missing or not supported. */
export function llamaConfig(metadata: Metadata): LlamaConfig {
  const architecture = metadata.string("general.architecture");
  if (architecture !== "llama") {
    throw new ModelError(
      `Cannot load the model: its architecture is "${architecture}". Supported: "llama" (Llama, SmolLM, Mistral and others that are built alike).`,
    );
  }
  if (metadata.integer("split.count", 1) > 1) {
    throw new ModelError(
      "Cannot load the model: it is split over several files. Merge them with llama-gguf-split first.",
    );
  }
  if (metadata.integer("llama.expert_count", 0) > 0) {
    throw new ModelError("Cannot load the model: it is a mixture of experts, which this example does not compute.");
  }
  const integer = (key: string, fallback?: number): number => {
    const value = metadata.integer(`llama.${key}`, fallback);
    if (value < 1) throw new ModelError(`Cannot load the model: llama.${key} is ${value}. Expected an integer >= 1.`);
    return value;
  };
  const dim = integer("embedding_length");
  const numQoHeads = integer("attention.head_count");
  const headDim = integer("attention.key_length", Math.floor(dim / numQoHeads));
  const valueDim = integer("attention.value_length", headDim);
  if (valueDim !== headDim) {
    throw new ModelError(`Cannot load the model: keys have ${headDim} elements, values ${valueDim}. They must agree.`);
  }
  const window = metadata.integer("llama.attention.sliding_window", 0);
  return {
    numLayers: integer("block_count"),
    dim,
    ffnDim: integer("feed_forward_length"),
    numQoHeads,
    numKvHeads: integer("attention.head_count_kv", numQoHeads),
    headDim,
    contextLength: integer("context_length"),
    normEps: metadata.number("llama.attention.layer_norm_rms_epsilon"),
    rope: {
      rotaryDim: integer("rope.dimension_count", headDim),
      theta: metadata.number("llama.rope.freq_base", 10000),
      linearFactor: linearRopeFactor(metadata),
    },
    // The window of a model counts the token itself.
    windowLeft: window > 0 ? window - 1 : undefined,
  };
}

/** Llama 3's scaling is no key but a tensor, `rope_freqs.weight`; see `loadLlama`. */
function linearRopeFactor(metadata: Metadata): number {
  const type = metadata.string("llama.rope.scaling.type", "none");
  if (type !== "none" && type !== "linear") {
    throw new ModelError(
      `Cannot load the model: its RoPE scaling is "${type}". Supported: "none", "linear", and Llama 3's.`,
    );
  }
  const factor = type === "linear"
    ? metadata.number("llama.rope.scaling.factor")
    : metadata.number("llama.rope.scale_linear", 1);
  if (!(factor > 0)) throw new ModelError(`Cannot load the model: its RoPE scaling factor is ${factor}.`);
  return factor;
}

/** Random Llama models of a few thousand weights, as GGUF files in memory. */
import { memorySource } from "../../examples/model/byte_source.ts";
import { GgufFile } from "../../examples/model/gguf.ts";
import { float, ggufBytes, string, type TensorSpec, type TypedValue, uint } from "./gguf_writer.ts";
import type { ReferenceShape, ReferenceWeights } from "./llama_reference.ts";
import { Random } from "./random.ts";

/** What a tiny model has that not every model has. */
export interface TinyFeatures {
  numKvHeads?: number;
  tied?: boolean;
  biases?: boolean;
  /** Factors as Llama 3 scales its frequencies. */
  ropeFactors?: boolean;
  rotaryDim?: number;
  window?: number;
}

/** A model, and what the reference needs of it. */
export interface TinyLlama {
  file: GgufFile;
  shape: ReferenceShape;
  weights: ReferenceWeights;
  vocabSize: number;
}

/** Makes one; `change` may damage what is written. */
export function tinyLlama(
  features: TinyFeatures = {},
  change: (metadata: Map<string, TypedValue>, tensors: Map<string, TensorSpec>) => void = () => {},
): TinyLlama {
  const { numKvHeads = 1, tied = false, biases = false, ropeFactors = false, rotaryDim = 64, window } = features;
  const [numLayers, dim, ffnDim, numQoHeads, headDim, vocabSize] = [2, 32, 48, 2, 64, 40];
  const shape = { numLayers, numQoHeads, numKvHeads, headDim, rotaryDim, theta: 500, eps: 1e-5, window };
  const random = new Random(7);
  const weights = new Map<string, Float32Array>();
  const tensors = new Map<string, TensorSpec>();
  const add = (name: string, dims: number[], values: Float32Array): void => {
    weights.set(name, values);
    tensors.set(name, { dims, values });
  };
  const matrix = (name: string, rows: number, columns: number): void => {
    add(`${name}.weight`, [columns, rows], random.normals(rows * columns, 1.5 / Math.sqrt(columns)));
  };
  const norm = (name: string): void => add(name, [dim], random.normals(dim, 0.2).map((value) => 1 + value));
  matrix("token_embd", vocabSize, dim);
  if (!tied) matrix("output", vocabSize, dim);
  norm("output_norm.weight");
  for (let i = 0; i < numLayers; i++) {
    const sizes = { attn_q: numQoHeads, attn_k: numKvHeads, attn_v: numKvHeads };
    for (const [part, numHeads] of Object.entries(sizes)) {
      matrix(`blk.${i}.${part}`, numHeads * headDim, dim);
      if (biases) add(`blk.${i}.${part}.bias`, [numHeads * headDim], random.normals(numHeads * headDim));
    }
    matrix(`blk.${i}.attn_output`, dim, numQoHeads * headDim);
    matrix(`blk.${i}.ffn_gate`, ffnDim, dim);
    matrix(`blk.${i}.ffn_up`, ffnDim, dim);
    matrix(`blk.${i}.ffn_down`, dim, ffnDim);
    norm(`blk.${i}.attn_norm.weight`);
    norm(`blk.${i}.ffn_norm.weight`);
  }
  if (ropeFactors) {
    const factors = Float32Array.from({ length: rotaryDim / 2 }, (_, i) => i < 8 ? 1 : 1 + i / 4);
    add("rope_freqs.weight", [rotaryDim / 2], factors);
  }
  const metadata = new Map<string, TypedValue>([
    ["general.architecture", string("llama")],
    ["llama.block_count", uint(numLayers)],
    ["llama.context_length", uint(256)],
    ["llama.embedding_length", uint(dim)],
    ["llama.feed_forward_length", uint(ffnDim)],
    ["llama.attention.head_count", uint(numQoHeads)],
    ["llama.attention.head_count_kv", uint(numKvHeads)],
    ["llama.attention.key_length", uint(headDim)],
    ["llama.attention.value_length", uint(headDim)],
    ["llama.attention.layer_norm_rms_epsilon", float(shape.eps)],
    ["llama.rope.freq_base", float(shape.theta)],
    ["llama.rope.dimension_count", uint(rotaryDim)],
  ]);
  if (window !== undefined) metadata.set("llama.attention.sliding_window", uint(window));
  change(metadata, tensors);
  const bytes = ggufBytes({ metadata: [...metadata], tensors: [...tensors] });
  return { file: new GgufFile(memorySource("tiny.gguf", bytes)), shape, weights, vocabSize };
}

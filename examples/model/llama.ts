/** A Llama-family model: weights, and one step of the transformer over a paged KV cache. */
import {
  type AppendSlots,
  BatchAttention,
  type Device,
  type DType,
  embedding,
  InvalidArgumentError,
  linear,
  PagedKvCache,
  rmsNorm,
  rope,
  siluAndMul,
  type Tensor,
} from "../../mod.ts";
import { Activations } from "./activations.ts";
import { ModelError } from "./errors.ts";
import type { GgufFile } from "./gguf.ts";
import { type LlamaConfig, llamaConfig } from "./llama_config.ts";
import { type LlamaWeights, loadLlamaWeights } from "./llama_weights.ts";

/** How to load a model. */
export interface LoadOptions {
  /** What weights are unpacked to, and everything is computed in: `"bf16"`, `"f16"`, or on the CPU `"f32"`. */
  dtype: DType;
  /** Tokens of the largest step. */
  maxTokens: number;
  /** Tokens of a step whose logits are wanted, at most. */
  maxLogits: number;
  /** Is told the share that is loaded, 0 to 1. */
  onProgress?: (share: number) => void;
}

/** One step. */
export interface StepOptions {
  /** i32 [numTokens]: the new tokens of all sequences, end to end. */
  ids: Tensor;
  /** From `cache.extend`. */
  slots: AppendSlots;
  cache: PagedKvCache;
  /** Planned for this step. */
  attention: BatchAttention;
  /** i32: which tokens' logits are wanted; all by default. */
  rows?: Tensor;
}

/** A loaded model. */
export class LlamaModel implements Disposable {
  readonly device: Device;
  readonly config: LlamaConfig;
  readonly dtype: DType;
  readonly vocabSize: number;
  /** Tokens of the largest step. */
  readonly maxTokens: number;
  readonly #weights: LlamaWeights;
  readonly #activations: Activations;
  readonly #resources: DisposableStack;

  private constructor(
    device: Device,
    config: LlamaConfig,
    dtype: DType,
    weights: LlamaWeights,
    activations: Activations,
    resources: DisposableStack,
  ) {
    this.device = device;
    this.config = config;
    this.dtype = dtype;
    this.vocabSize = weights.embedding.shape[0];
    this.maxTokens = activations.maxTokens;
    this.#weights = weights;
    this.#activations = activations;
    this.#resources = resources;
  }

  /** Unpacks a GGUF file's weights onto the device. @throws {ModelError} for a file that is damaged or not of this family. */
  static async load(device: Device, file: GgufFile, options: LoadOptions): Promise<LlamaModel> {
    const { dtype, maxTokens, maxLogits, onProgress } = options;
    if (dtype === "f32" && device.kind !== "cpu") {
      throw new ModelError(`Cannot load the model in f32 on ${device.kind}: choose bf16 or f16.`);
    }
    const config = llamaConfig(file.metadata);
    using resources = new DisposableStack();
    const weights = await loadLlamaWeights(
      device,
      file,
      config,
      dtype,
      (tensor) => resources.use(tensor),
      onProgress,
    );
    const sizes = { vocabSize: weights.embedding.shape[0], maxTokens, maxLogits };
    const activations = resources.use(new Activations(device, config, dtype, sizes));
    return new LlamaModel(device, config, dtype, weights, activations, resources.move());
  }

  /** A KV cache for this model. */
  createCache(numPages: number, pageSize: number): PagedKvCache {
    const { numLayers, numKvHeads, headDim } = this.config;
    return new PagedKvCache(this.device, { numPages, pageSize, numKvHeads, headDim, numLayers, dtype: this.dtype });
  }

  /** The attention of this model; plan it for each step. */
  createAttention(): BatchAttention {
    const { numQoHeads, numKvHeads, headDim, windowLeft } = this.config;
    return new BatchAttention(this.device, {
      numQoHeads,
      numKvHeads,
      headDim,
      windowLeft,
      dtype: this.dtype,
      causal: true,
    });
  }

  /**
   * Enqueues one step of any mix of prompts and single tokens.
   *
   * @returns logits, f32 [number of rows, vocabSize]; overwritten by the next step.
   */
  step({ ids, slots, cache, attention, rows }: StepOptions): Tensor {
    const { layers, outputNorm, output, invFreq, embedding: table } = this.#weights;
    const { maxTokens, maxLogits, chosen, logits } = this.#activations;
    const { numTokens, positions } = slots;
    const numLogits = rows?.shape[0] ?? numTokens;
    if (numTokens > maxTokens || numLogits > maxLogits) {
      throw new InvalidArgumentError(
        `Cannot run a step of ${numTokens} tokens with ${numLogits} rows of logits: the model was loaded for ${maxTokens} and ${maxLogits}.`,
      );
    }
    const eps = this.config.normEps;
    // GGUF stores the rows of wq and wk so that a rotated pair lies side by side.
    const interleaved = true;
    const { residual, normed, added, qkv, q, k, v, attended, attendedRows, gateUp, activated } = this.#activations
      .views(numTokens);
    embedding({ ids, table, out: residual });
    rmsNorm({ x: residual, weight: layers[0].attentionNorm, eps, out: normed });
    for (let i = 0; i < layers.length; i++) {
      const layer = layers[i];
      linear({ x: normed, weight: layer.qkv, bias: layer.qkvBias, out: qkv });
      rope({ x: q, positions, invFreq, interleaved });
      cache.write({ k, v, slots, layer: i, rope: { invFreq, interleaved } });
      attention.run({ q, cache, layer: i, out: attended });
      linear({ x: attendedRows, weight: layer.attentionOutput, out: added });
      rmsNorm({ x: added, residual, weight: layer.ffnNorm, eps, out: normed });
      linear({ x: normed, weight: layer.gateUp, out: gateUp });
      siluAndMul({ x: gateUp, out: activated });
      linear({ x: activated, weight: layer.down, out: added });
      const nextNorm = i + 1 < layers.length ? layers[i + 1].attentionNorm : outputNorm;
      rmsNorm({ x: added, residual, weight: nextNorm, eps, out: normed });
    }
    // A lookup is also how rows are gathered.
    const wanted = rows === undefined
      ? normed
      : embedding({ ids: rows, table: normed, out: chosen.slice(0, numLogits) });
    return linear({ x: wanted, weight: output, out: logits.slice(0, numLogits) });
  }

  /** Gives all memory back. */
  dispose(): void {
    this.#resources.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

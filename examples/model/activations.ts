/** The tensors that a step computes in: made once for the largest step, seen by each step as its first rows. */
import type { Device, DType, Tensor } from "../../mod.ts";
import type { LlamaConfig } from "./llama_config.ts";

/** Views for a step of some number of tokens. */
export interface StepViews {
  /** [numTokens, dim]: the residual stream. */
  readonly residual: Tensor;
  /** [numTokens, dim] */
  readonly normed: Tensor;
  /** [numTokens, dim]: what a block adds to the residual stream. */
  readonly added: Tensor;
  /** [numTokens, (numQoHeads + 2 * numKvHeads) * headDim] */
  readonly qkv: Tensor;
  /** [numTokens, numQoHeads, headDim] of `qkv` */
  readonly q: Tensor;
  /** [numTokens, numKvHeads, headDim] of `qkv` */
  readonly k: Tensor;
  /** [numTokens, numKvHeads, headDim] of `qkv` */
  readonly v: Tensor;
  /** [numTokens, numQoHeads, headDim] */
  readonly attended: Tensor;
  /** The same as [numTokens, numQoHeads * headDim]. */
  readonly attendedRows: Tensor;
  /** [numTokens, 2 * ffnDim] */
  readonly gateUp: Tensor;
  /** [numTokens, ffnDim] */
  readonly activated: Tensor;
}

/** Memory for steps of up to `maxTokens` tokens, of which up to `maxLogits` give logits. */
export class Activations implements Disposable {
  readonly maxTokens: number;
  readonly maxLogits: number;
  /** [maxLogits, dim] */
  readonly chosen: Tensor;
  /** f32 [maxLogits, vocabSize] */
  readonly logits: Tensor;
  readonly #config: LlamaConfig;
  readonly #tensors: Tensor[] = [];
  readonly #rows: Record<"residual" | "normed" | "added" | "qkv" | "attended" | "gateUp" | "activated", Tensor>;
  #views: StepViews | undefined;

  constructor(
    device: Device,
    config: LlamaConfig,
    dtype: DType,
    sizes: { vocabSize: number; maxTokens: number; maxLogits: number },
  ) {
    const { dim, ffnDim, numQoHeads, numKvHeads, headDim } = config;
    const { vocabSize, maxTokens, maxLogits } = sizes;
    const make = (shape: readonly number[], type: DType = dtype): Tensor => {
      const tensor = device.tensor(shape, type);
      this.#tensors.push(tensor);
      return tensor;
    };
    this.#config = config;
    this.maxTokens = maxTokens;
    this.maxLogits = maxLogits;
    try {
      this.#rows = {
        residual: make([maxTokens, dim]),
        normed: make([maxTokens, dim]),
        added: make([maxTokens, dim]),
        qkv: make([maxTokens, (numQoHeads + 2 * numKvHeads) * headDim]),
        attended: make([maxTokens, numQoHeads * headDim]),
        gateUp: make([maxTokens, 2 * ffnDim]),
        activated: make([maxTokens, ffnDim]),
      };
      this.chosen = make([maxLogits, dim]);
      this.logits = make([maxLogits, vocabSize], "f32");
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The first `numTokens` rows of everything. A decode step asks for the same again and again, and gets the same views. */
  views(numTokens: number): StepViews {
    if (this.#views?.residual.shape[0] === numTokens) return this.#views;
    const { numQoHeads, numKvHeads, headDim } = this.#config;
    const { residual, normed, added, qkv, attended, gateUp, activated } = this.#rows;
    const width = qkv.shape[1];
    const heads = (count: number, first: number): Tensor =>
      qkv.view([numTokens, count, headDim], [width, headDim, 1], first * headDim);
    this.#views = {
      residual: residual.slice(0, numTokens),
      normed: normed.slice(0, numTokens),
      added: added.slice(0, numTokens),
      qkv: qkv.slice(0, numTokens),
      q: heads(numQoHeads, 0),
      k: heads(numKvHeads, numQoHeads),
      v: heads(numKvHeads, numQoHeads + numKvHeads),
      attended: attended.slice(0, numTokens).reshape([numTokens, numQoHeads, headDim]),
      attendedRows: attended.slice(0, numTokens),
      gateUp: gateUp.slice(0, numTokens),
      activated: activated.slice(0, numTokens),
    };
    return this.#views;
  }

  /** Gives the memory back. */
  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

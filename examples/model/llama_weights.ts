/** The weights of a Llama-family model on a device, unpacked from a GGUF file and joined so that a layer needs four products. */
import { type Device, type DType, ropeFrequencies, type Tensor } from "../../mod.ts";
import { ModelError } from "./errors.ts";
import type { GgufFile, GgufTensor } from "./gguf.ts";
import type { LlamaConfig } from "./llama_config.ts";

/** One layer's weights. */
export interface LayerWeights {
  /** [dim] */
  readonly attentionNorm: Tensor;
  /** Queries, keys and values: [(numQoHeads + 2 * numKvHeads) * headDim, dim] */
  readonly qkv: Tensor;
  /** The same rows; undefined in most models. */
  readonly qkvBias: Tensor | undefined;
  /** [dim, numQoHeads * headDim] */
  readonly attentionOutput: Tensor;
  /** [dim] */
  readonly ffnNorm: Tensor;
  /** Gate, then up: [2 * ffnDim, dim] */
  readonly gateUp: Tensor;
  /** [dim, ffnDim] */
  readonly down: Tensor;
}

/** A model's weights. */
export interface LlamaWeights {
  /** [vocabSize, dim] */
  readonly embedding: Tensor;
  readonly layers: readonly LayerWeights[];
  /** [dim] */
  readonly outputNorm: Tensor;
  /** [vocabSize, dim]; the embedding itself in models that tie them. */
  readonly output: Tensor;
  /** f32 [rotaryDim / 2]: radians per position. */
  readonly invFreq: Tensor;
}

/** Weights unpacked at a time; bounds the memory of the host. */
const CHUNK_ELEMENTS = 1 << 20;

/**
 * Unpacks all weights onto the device.
 *
 * @param keep receives every tensor made, so that the caller disposes them, also after an error.
 * @param onProgress is told the share that is done, 0 to 1.
 * @throws {ModelError} if a tensor is missing, has another shape than the metadata says, or is one this model family has not.
 */
export async function loadLlamaWeights(
  device: Device,
  file: GgufFile,
  config: LlamaConfig,
  dtype: DType,
  keep: (tensor: Tensor) => void,
  onProgress: (share: number) => void = () => {},
): Promise<LlamaWeights> {
  const { numLayers, dim, ffnDim, numQoHeads, numKvHeads, headDim } = config;
  const [qDim, kvDim] = [numQoHeads * headDim, numKvHeads * headDim];
  const loader = new WeightLoader(device, file, dtype, keep);
  const vocabSize = file.tensor("token_embd.weight").shape[0];
  const embedding = loader.load([vocabSize, dim], ["token_embd.weight"]);
  const output = file.tensors.has("output.weight") ? loader.load([vocabSize, dim], ["output.weight"]) : embedding;
  const outputNorm = loader.load([dim], ["output_norm.weight"]);
  const layers: LayerWeights[] = [];
  for (let i = 0; i < numLayers; i++) {
    const [q, k, v] = ["q", "k", "v"].map((name) => `blk.${i}.attn_${name}`);
    const part = (name: string): string[] => [`blk.${i}.${name}.weight`];
    layers.push({
      attentionNorm: loader.load([dim], part("attn_norm")),
      qkv: loader.load([qDim + 2 * kvDim, dim], [`${q}.weight`, `${k}.weight`, `${v}.weight`]),
      qkvBias: file.tensors.has(`${q}.bias`)
        ? loader.load([qDim + 2 * kvDim], [`${q}.bias`, `${k}.bias`, `${v}.bias`])
        : undefined,
      attentionOutput: loader.load([dim, qDim], part("attn_output")),
      ffnNorm: loader.load([dim], part("ffn_norm")),
      gateUp: loader.load([2 * ffnDim, dim], [...part("ffn_gate"), ...part("ffn_up")]),
      down: loader.load([dim, ffnDim], part("ffn_down")),
    });
    await device.synchronize(); // So that at most one layer's copies wait.
    onProgress((i + 1) / numLayers);
  }
  const invFreq = device.fromArray(loader.ropeFrequencies(config), "f32");
  keep(invFreq);
  loader.expectNothingLeft();
  return { embedding, layers, outputNorm, output, invFreq };
}

/** Unpacks tensors of one file, and remembers which. */
class WeightLoader {
  readonly #device: Device;
  readonly #file: GgufFile;
  readonly #dtype: DType;
  readonly #keep: (tensor: Tensor) => void;
  readonly #used: Set<string> = new Set();

  constructor(device: Device, file: GgufFile, dtype: DType, keep: (tensor: Tensor) => void) {
    this.#device = device;
    this.#file = file;
    this.#dtype = dtype;
    this.#keep = keep;
  }

  /** The tensors of these names, one below the other. */
  load(shape: readonly number[], names: readonly string[]): Tensor {
    const target = this.#device.tensor(shape, this.#dtype);
    this.#keep(target);
    let row = 0;
    for (const name of names) {
      const source = this.#use(name);
      const [numRows, ...rowShape] = source.shape;
      if (rowShape.join() !== shape.slice(1).join() || row + numRows > shape[0]) {
        throw new ModelError(
          `Cannot load ${this.#file.name}: ${name} has shape [${source.shape}], which does not fit [${shape}] from row ${row} on.`,
        );
      }
      this.#upload(source, target.slice(row, row + numRows));
      row += numRows;
    }
    if (row !== shape[0]) {
      throw new ModelError(`Cannot load ${this.#file.name}: ${names.join(", ")} have ${row} rows, not ${shape[0]}.`);
    }
    return target;
  }

  /** With Llama 3's scaling, which GGUF stores as the factor that each frequency is divided by. */
  ropeFrequencies({ rope }: LlamaConfig): Float32Array {
    const frequencies = ropeFrequencies(rope);
    if (!this.#file.tensors.has("rope_freqs.weight")) return frequencies;
    const factors = this.#use("rope_freqs.weight");
    if (factors.numElements !== frequencies.length) {
      throw new ModelError(
        `Cannot load ${this.#file.name}: rope_freqs.weight has ${factors.numElements} factors for ${frequencies.length} frequencies.`,
      );
    }
    const values = new Float32Array(factors.numElements);
    factors.format.dequantise(this.#file.readBlocks(factors, 0, factors.numElements), values);
    return frequencies.map((frequency, i) => frequency / values[i]);
  }

  /** A tensor that was not used means a model that computes something else. */
  expectNothingLeft(): void {
    const left = [...this.#file.tensors.keys()].filter((name) => !this.#used.has(name));
    if (left.length > 0) {
      throw new ModelError(
        `Cannot load ${this.#file.name}: it has ${left.length} tensors that a Llama has not, for example ${left[0]}.`,
      );
    }
  }

  #use(name: string): GgufTensor {
    this.#used.add(name);
    return this.#file.tensor(name);
  }

  #upload(source: GgufTensor, target: Tensor): void {
    const numRows = source.shape[0];
    const rowElements = source.numElements / numRows;
    const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / rowElements));
    // Rows of a matrix are whole blocks. Those of a vector are single elements, but its step is a multiple of every block.
    for (let row = 0; row < numRows; row += step) {
      const end = Math.min(numRows, row + step);
      target.slice(row, end).write(this.#unpack(source, row * rowElements, end * rowElements));
    }
  }

  /** Elements as f32, or as they are if the file has the device's format already. */
  #unpack(source: GgufTensor, begin: number, end: number): Float32Array | Uint16Array {
    const blocks = this.#file.readBlocks(source, begin, end);
    if (source.format.name.toLowerCase() === this.#dtype && this.#dtype !== "f32") {
      return new Uint16Array(blocks.buffer);
    }
    const values = new Float32Array(new ArrayBuffer(4 * (end - begin)));
    source.format.dequantise(blocks, values);
    return values;
  }
}

/** A Llama computed in f64, one formula after another: the oracle for models too small for anyone to publish. */

/** Sizes as the GGUF keys say them. */
export interface ReferenceShape {
  numLayers: number;
  numQoHeads: number;
  numKvHeads: number;
  headDim: number;
  rotaryDim: number;
  theta: number;
  eps: number;
  /** A token sees this many tokens, itself included. */
  window?: number;
}

/** Weights by GGUF name, rows of matrices end to end. */
export type ReferenceWeights = ReadonlyMap<string, ArrayLike<number>>;

/** Logits of every position: [ids.length][vocabSize]. */
export function referenceLogits(shape: ReferenceShape, weights: ReferenceWeights, ids: readonly number[]): number[][] {
  const { numLayers, numQoHeads, numKvHeads, headDim, window = Infinity, eps } = shape;
  const at = (name: string): ArrayLike<number> => {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`The reference lacks ${name}`);
    return weight;
  };
  const normed = (x: number[], name: string): number[] => {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + eps);
    return x.map((value, i) => value * scale * at(name)[i]);
  };
  const product = (name: string, x: number[]): number[] => {
    const weight = at(`${name}.weight`);
    const bias = weights.get(`${name}.bias`);
    return Array.from({ length: weight.length / x.length }, (_, row) => {
      let sum = bias?.[row] ?? 0;
      for (let i = 0; i < x.length; i++) sum += weight[row * x.length + i] * x[i];
      return sum;
    });
  };
  const heads = (x: number[]): number[][] =>
    Array.from({ length: x.length / headDim }, (_, head) => x.slice(head * headDim, (head + 1) * headDim));
  const factors = weights.get("rope_freqs.weight");
  const rotated = (x: number[], position: number): number[] => {
    const out = [...x];
    for (let i = 0; i < shape.rotaryDim / 2; i++) {
      const angle = position * shape.theta ** (-2 * i / shape.rotaryDim) / (factors?.[i] ?? 1);
      const [a, b] = [x[2 * i], x[2 * i + 1]];
      out[2 * i] = a * Math.cos(angle) - b * Math.sin(angle);
      out[2 * i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
    return out;
  };

  const embedding = at("token_embd.weight");
  const dim = at("output_norm.weight").length;
  let stream = ids.map((id) => Array.from({ length: dim }, (_, i) => embedding[id * dim + i]));
  for (let layer = 0; layer < numLayers; layer++) {
    const name = (part: string): string => `blk.${layer}.${part}`;
    const inputs = stream.map((x) => normed(x, name("attn_norm.weight")));
    const queries = inputs.map((x, t) => heads(product(name("attn_q"), x)).map((head) => rotated(head, t)));
    const keys = inputs.map((x, t) => heads(product(name("attn_k"), x)).map((head) => rotated(head, t)));
    const values = inputs.map((x) => heads(product(name("attn_v"), x)));
    stream = stream.map((x, t) => {
      const attended = queries[t].flatMap((query, head) => {
        const kvHead = Math.floor(head / (numQoHeads / numKvHeads));
        const first = Math.max(0, t - window + 1);
        const scores = keys.slice(first, t + 1).map((key) => dot(query, key[kvHead]) / Math.sqrt(headDim));
        const max = Math.max(...scores);
        const weightsOf = scores.map((score) => Math.exp(score - max));
        const total = weightsOf.reduce((sum, weight) => sum + weight, 0);
        return Array.from(
          { length: headDim },
          (_, i) => weightsOf.reduce((sum, weight, s) => sum + weight * values[first + s][kvHead][i], 0) / total,
        );
      });
      return sum(x, product(name("attn_output"), attended));
    });
    stream = stream.map((x) => {
      const input = normed(x, name("ffn_norm.weight"));
      const up = product(name("ffn_up"), input);
      const gated = product(name("ffn_gate"), input).map((gate, i) => gate / (1 + Math.exp(-gate)) * up[i]);
      return sum(x, product(name("ffn_down"), gated));
    });
  }
  const output = weights.has("output.weight") ? "output" : "token_embd";
  return stream.map((x) => product(output, normed(x, "output_norm.weight")));
}

function dot(a: number[], b: number[]): number {
  return a.reduce((total, value, i) => total + value * b[i], 0);
}

function sum(a: number[], b: number[]): number[] {
  return a.map((value, i) => value + b[i]);
}

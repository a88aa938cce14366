/** Sampling as native/flashpage.h defines it, in plain TypeScript and f64. */

/** One row's parameters, defaults filled in. */
export interface SamplerParams {
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
  step: number;
}

/** Philox4x32-10 (Salmon et al., 2011, section 3.1): four random words from four counter words and two key words. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  for (let round = 0; round < 10; round++) {
    const [a, b] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(b >> 32n) ^ c1 ^ k0, b & 0xffffffffn, (a >> 32n) ^ c3 ^ k1, a & 0xffffffffn];
    k0 = (k0 + 0x9e3779b9n) & 0xffffffffn;
    k1 = (k1 + 0xbb67ae85n) & 0xffffffffn;
  }
  return [c0, c1, c2, c3].map(Number);
}

/** The uniform number of a row: in [0, 1). */
export function uniformOf({ seed, step }: SamplerParams): number {
  return philox4x32([step, 0, 0, 0], [seed % 2 ** 32, Math.floor(seed / 2 ** 32)])[0] / 2 ** 32;
}

/** Probability of every token after temperature, top-k and top-p, renormalised; not for temperature 0. */
export function keptProbabilities(logits: ArrayLike<number>, { temperature, topK, topP }: SamplerParams): Float64Array {
  const clean = Array.from(logits, (value) => Number.isNaN(value) ? -Infinity : value);
  const maximum = Math.max(...clean);
  const weights = clean.map((value) => Math.exp((value - maximum) / temperature));
  const order = clean.map((_, token) => token).sort((a, b) => clean[b] - clean[a] || a - b);
  let kept = order.slice(0, topK === 0 ? clean.length : topK);
  const total = kept.reduce((sum, token) => sum + weights[token], 0);
  let reached = 0;
  kept = kept.filter((token) => {
    const isKept = reached < topP * total;
    reached += weights[token];
    return isKept || topP === 1;
  });
  const out = new Float64Array(clean.length);
  const keptTotal = kept.reduce((sum, token) => sum + weights[token], 0);
  for (const token of kept) out[token] = weights[token] / keptTotal;
  return out;
}

/** True if the walk over kept tokens in index order may end at `token`, when sums are rounded by up to `slack`. */
export function mayDraw(probabilities: Float64Array, uniform: number, token: number, slack: number): boolean {
  if (!(probabilities[token] > 0)) return false;
  let before = 0;
  for (let i = 0; i < token; i++) before += probabilities[i];
  return uniform >= before - slack && uniform < before + probabilities[token] + slack;
}

/**
 * Attention in f64, one row at a time, in the plainest form: all scores, their maximum, their sum. Tests compare every backend with it.
 *
 * Its inputs are the numbers that the device sees (rounded to the dtype), so what is left is the backend's own error; `expectedError`
 * bounds that.
 */

/** A batch as plain arrays. */
export interface OracleBatch {
  /** [numTokens, numKvHeads * groupSize, headDimQk] */
  q: Float32Array;
  /** [numSlots, numKvHeads, headDimQk] */
  k: Float32Array;
  /** [numSlots, numKvHeads, headDimVo] */
  v: Float32Array;
  qoIndptr: ArrayLike<number>;
  /** For each request, where each of its KV tokens lies in k and v. */
  slots: readonly Int32Array[];
  /** For each request `qoLen x kvLen` booleans, or null. */
  masks?: readonly (Uint8Array | null)[];
  /** For each query head, what its queries are multiplied by; 1 by default. */
  qScales?: ArrayLike<number>;
  /** For each KV head, what its keys and values are multiplied by; 1 by default. */
  kScales?: ArrayLike<number>;
  vScales?: ArrayLike<number>;
  numKvHeads: number;
  groupSize: number;
  headDimQk: number;
  headDimVo: number;
  causal: boolean;
  /** -1: unlimited. */
  windowLeft: number;
  /** -1: unlimited. */
  windowRight: number;
  smScale: number;
  /** 0: none. */
  logitsSoftCap: number;
}

/** One query token and one query head. */
export interface OracleRow {
  /** [headDimVo]; zeros if nothing is visible. */
  out: Float64Array;
  /** Natural logarithm; -Infinity if nothing is visible. */
  lse: number;
  numVisible: number;
  /** [headDimVo]: sum of p |v|, the size that errors of the weights are relative to. */
  outMagnitude: Float64Array;
  /** [headDimVo]: square root of the sum of (p v)^2: the size of what independent errors of the weights add up to. */
  outNorm: Float64Array;
  /** [headDimVo]: sum of |v| over visible tokens, divided by the sum of exp(score - maximum). */
  spread: Float64Array;
  /** Largest smScale * sum |q k| of a visible token: what rounding in f32 scores is relative to. */
  scoreMagnitude: number;
}

/** The KV tokens [begin, end) that rules by position let a query see; the mask may hide more. */
export function visibleRange(batch: OracleBatch, request: number, row: number): [begin: number, end: number] {
  const kvLen = batch.slots[request].length;
  // Queries are the last tokens of their request; with more queries than keys the first positions are negative.
  const position = kvLen - (batch.qoIndptr[request + 1] - batch.qoIndptr[request]) + row;
  let end = kvLen;
  if (batch.causal) end = Math.min(end, position + 1);
  if (batch.windowRight >= 0) end = Math.min(end, position + batch.windowRight + 1);
  const begin = batch.windowLeft >= 0 ? Math.max(0, position - batch.windowLeft) : 0;
  return [begin, Math.max(begin, end)];
}

/** The result of row `row` of a request, for one query head. */
export function attendRow(batch: OracleBatch, request: number, row: number, qoHead: number): OracleRow {
  const { q, k, v, numKvHeads, groupSize, headDimQk, headDimVo, smScale, logitsSoftCap } = batch;
  const slots = batch.slots[request];
  const mask = batch.masks?.[request] ?? null;
  const kvHead = Math.floor(qoHead / groupSize);
  const [kScale, vScale] = [batch.kScales?.[kvHead] ?? 1, batch.vScales?.[kvHead] ?? 1];
  const qkScale = (batch.qScales?.[qoHead] ?? 1) * kScale;
  const [begin, end] = visibleRange(batch, request, row);
  const qAt = ((batch.qoIndptr[request] + row) * numKvHeads * groupSize + qoHead) * headDimQk;
  const scores = new Float64Array(end - begin).fill(-Infinity);
  let maximum = -Infinity;
  let scoreMagnitude = 0;
  let numVisible = 0;
  for (let t = begin; t < end; t++) {
    if (mask !== null && mask[row * slots.length + t] === 0) continue;
    const kAt = (slots[t] * numKvHeads + kvHead) * headDimQk;
    let dot = 0;
    let size = 0;
    for (let d = 0; d < headDimQk; d++) {
      const product = q[qAt + d] * (k[kAt + d] * qkScale);
      dot += product;
      size += Math.abs(product);
    }
    let score = dot * smScale;
    if (logitsSoftCap > 0) score = logitsSoftCap * Math.tanh(score / logitsSoftCap);
    scores[t - begin] = score;
    if (score > maximum) maximum = score;
    if (size * smScale > scoreMagnitude) scoreMagnitude = size * smScale;
    numVisible++;
  }
  const out = new Float64Array(headDimVo);
  const outMagnitude = new Float64Array(headDimVo);
  const outNorm = new Float64Array(headDimVo);
  const spread = new Float64Array(headDimVo);
  let sum = 0;
  for (let t = begin; t < end; t++) {
    if (scores[t - begin] === -Infinity) continue;
    const weight = Math.exp(scores[t - begin] - maximum);
    sum += weight;
    const vAt = (slots[t] * numKvHeads + kvHead) * headDimVo;
    for (let d = 0; d < headDimVo; d++) {
      const value = v[vAt + d] * vScale;
      const size = Math.abs(value);
      out[d] += weight * value;
      outMagnitude[d] += weight * size;
      outNorm[d] += (weight * size) ** 2;
      spread[d] += size;
    }
  }
  if (sum > 0) {
    for (let d = 0; d < headDimVo; d++) {
      out[d] /= sum;
      outMagnitude[d] /= sum;
      outNorm[d] = Math.sqrt(outNorm[d]) / sum;
      spread[d] /= sum;
    }
  }
  return {
    out,
    lse: sum > 0 ? maximum + Math.log(sum) : -Infinity,
    numVisible,
    outMagnitude,
    outNorm,
    spread,
    scoreMagnitude,
  };
}

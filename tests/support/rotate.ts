/** Rotary embedding of one head in f64: `out`, and for each element the size of what it is a sum of (0 for those not rotated). */
export function rotateHead(
  head: Float32Array,
  invFreq: Float32Array,
  position: number,
  interleaved: boolean,
): { out: Float64Array; size: Float64Array } {
  const out = Float64Array.from(head);
  const size = new Float64Array(head.length);
  for (let i = 0; i < invFreq.length; i++) {
    const [a, b] = interleaved ? [2 * i, 2 * i + 1] : [i, i + invFreq.length];
    const angle = position * invFreq[i];
    out[a] = head[a] * Math.cos(angle) - head[b] * Math.sin(angle);
    out[b] = head[b] * Math.cos(angle) + head[a] * Math.sin(angle);
    size[a] = size[b] = Math.abs(head[a]) + Math.abs(head[b]);
  }
  return { out, size };
}

/** A seeded generator (mulberry32): the same numbers on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** One of the entries. */
  pick<T>(entries: readonly T[]): T {
    return entries[this.integer(0, entries.length - 1)];
  }

  /** Another order of the same entries. */
  shuffled<T>(entries: Iterable<T>): T[] {
    const out = [...entries];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  /** Roughly normal numbers (sums of four bytes; largest 3.45 standard deviations), mean 0, standard deviation `scale`. */
  normals(count: number, scale = 1): Float32Array<ArrayBuffer> {
    const out = new Float32Array(new ArrayBuffer(4 * count));
    const factor = scale / Math.sqrt(4 * (256 ** 2 - 1) / 12);
    // Xorshift: large arrays want a fast generator. Its state must not be 0.
    let x = Math.floor(this.next() * 0xfffffffe) + 1 | 0;
    for (let i = 0; i < count; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      out[i] = ((x & 255) + (x >>> 8 & 255) + (x >>> 16 & 255) + (x >>> 24) - 510) * factor;
    }
    return out;
  }
}

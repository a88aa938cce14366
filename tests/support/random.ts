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

  /** Roughly normal numbers (sum of four uniforms), mean 0, standard deviation `scale`. */
  normals(count: number, scale = 1): Float32Array {
    const out = new Float32Array(count);
    const factor = scale * Math.sqrt(3);
    for (let i = 0; i < count; i++) out[i] = (this.next() + this.next() + this.next() + this.next() - 2) * factor;
    return out;
  }
}

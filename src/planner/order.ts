/**
 * Sorting without allocating.
 *
 * @module
 */

/** Numbers that are sorted by insertion. */
const RUN = 8;

/** Sorts numbers by keys. Its arrays live as long as it. */
export class Order {
  #from = new Int32Array(0);
  #to = new Int32Array(0);

  /**
   * `count` of `ids`, or without them 0, 1, 2 and so on, by `keys[id]`, the least first; of those with one key, the first first. Good until the next call.
   * Sorts runs by insertion, and merges them.
   */
  of(ids: Int32Array | undefined, count: number, keys: Int32Array): Int32Array {
    if (this.#from.length < count) {
      this.#from = new Int32Array(2 * count);
      this.#to = new Int32Array(2 * count);
    }
    let from = this.#from;
    let to = this.#to;
    for (let i = 0; i < count; i++) {
      const id = ids === undefined ? i : ids[i];
      const key = keys[id];
      let place = i;
      const runBegin = i - i % RUN;
      for (; place > runBegin && keys[from[place - 1]] > key; place--) from[place] = from[place - 1];
      from[place] = id;
    }
    for (let width = RUN; width < count; width *= 2) {
      for (let begin = 0; begin < count; begin += 2 * width) {
        const middle = Math.min(begin + width, count);
        const end = Math.min(middle + width, count);
        let left = begin;
        let right = middle;
        for (let i = begin; i < end; i++) {
          const takesLeft = right >= end || (left < middle && keys[from[left]] <= keys[from[right]]);
          to[i] = takesLeft ? from[left++] : from[right++];
        }
      }
      const sorted = to;
      to = from;
      from = sorted;
    }
    return from;
  }
}

/**
 * Sorting without allocating.
 *
 * @module
 */

/** Keys are counted if there are no more than so many values for each number. */
const MAX_VALUES = 4;
/** Else runs of so many are sorted by insertion, and merged. */
const RUN = 8;

/** Sorts numbers by keys. Its arrays grow with what is sorted and stay. */
export class Order {
  #from = new Int32Array(0);
  #to = new Int32Array(0);
  #places = new Int32Array(0);

  /**
   * `count` of `ids`, or without them 0, 1, 2 and so on, by the integers `keys[id]`, the least first, or the greatest; of those with one key, the first
   * first. Good until the next call.
   */
  of(ids: Int32Array | undefined, count: number, keys: Int32Array, first: "least" | "greatest"): Int32Array {
    if (this.#from.length < count) {
      this.#from = new Int32Array(count + (count >> 1));
      this.#to = new Int32Array(count + (count >> 1));
    }
    const sign = first === "least" ? 1 : -1;
    const from = this.#from;
    let least = Infinity;
    let most = -Infinity;
    let before = -Infinity;
    let isSorted = true;
    for (let i = 0; i < count; i++) {
      const id = ids === undefined ? i : ids[i];
      const key = sign * keys[id];
      from[i] = id;
      if (key < before) isSorted = false;
      if (key < least) least = key;
      if (key > most) most = key;
      before = key;
    }
    if (isSorted) return from;
    const numValues = most - least + 1;
    return numValues <= MAX_VALUES * count
      ? this.#byCounting(count, keys, sign, least, numValues)
      : this.#byMerging(count, keys, sign);
  }

  #byCounting(count: number, keys: Int32Array, sign: number, least: number, numValues: number): Int32Array {
    if (this.#places.length <= numValues) this.#places = new Int32Array(numValues + (numValues >> 1) + 1);
    const from = this.#from;
    const to = this.#to;
    // First place of each value.
    const places = this.#places.fill(0, 0, numValues + 1);
    for (let i = 0; i < count; i++) places[sign * keys[from[i]] - least + 1]++;
    for (let value = 1; value < numValues; value++) places[value] += places[value - 1];
    for (let i = 0; i < count; i++) to[places[sign * keys[from[i]] - least]++] = from[i];
    return to;
  }

  #byMerging(count: number, keys: Int32Array, sign: number): Int32Array {
    let from = this.#from;
    let to = this.#to;
    for (let i = 0; i < count; i++) {
      const id = from[i];
      const key = sign * keys[id];
      const runBegin = i - i % RUN;
      let place = i;
      for (; place > runBegin && sign * keys[from[place - 1]] > key; place--) from[place] = from[place - 1];
      from[place] = id;
    }
    for (let width = RUN; width < count; width *= 2) {
      for (let begin = 0; begin < count; begin += 2 * width) {
        const middle = Math.min(begin + width, count);
        const end = Math.min(middle + width, count);
        let left = begin;
        let right = middle;
        for (let i = begin; i < end; i++) {
          const takesLeft = right >= end || (left < middle && sign * keys[from[left]] <= sign * keys[from[right]]);
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

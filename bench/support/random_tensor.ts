/** Large random tensors without making every number in JavaScript. */
import type { Device, DType, Tensor } from "../../mod.ts";

/** Numbers that are made; larger tensors repeat them. A prime, so that repeats never lie at the same place of a row. */
const PERIOD = 1_000_003;

/** A tensor of roughly normal numbers. */
export function randomTensor(device: Device, shape: readonly number[], dtype: DType, seed: number): Tensor {
  const tensor = device.tensor(shape, dtype);
  const flat = tensor.reshape([tensor.numElements]);
  const count = Math.min(PERIOD, tensor.numElements);
  flat.slice(0, count).write(normals(count, seed));
  for (let done = count; done < tensor.numElements;) {
    const piece = Math.min(done, tensor.numElements - done);
    flat.slice(done, done + piece).copyFrom(flat.slice(0, piece));
    done += piece;
  }
  return tensor;
}

/** Sums of four uniforms: mean 0, standard deviation 1. */
function normals(count: number, seed: number): Float32Array {
  let state = seed | 0;
  const next = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    const t = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    return ((t ^ (t >>> 15)) >>> 0) / 4294967296;
  };
  const factor = Math.sqrt(3);
  return Float32Array.from({ length: count }, () => (next() + next() + next() + next() - 2) * factor);
}

/**
 * Merging attention states over disjoint keys (FlashInfer paper, section 2.2): associative, so any split of the keys gives the same result.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { DTYPE_CODE } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";
import { MergeStatesArgs } from "../ffi/structs.gen.ts";
import { withOutput } from "../ops/check.ts";

/** Arguments of {@linkcode mergeStates}. */
export interface MergeStatesOptions {
  /** Outputs over each part of the keys: [numStates, numTokens, numHeads, headDim], contiguous. */
  states: Tensor;
  /** Their log-sum-exp, natural logarithm: f32 [numStates, numTokens, numHeads], contiguous. */
  lses: Tensor;
  /** [numTokens, numHeads, headDim], contiguous. A new tensor by default. */
  out?: Tensor;
  /** f32 [numTokens, numHeads]: receives the merged log-sum-exp. */
  lse?: Tensor;
  /** The device's own by default. */
  stream?: Stream;
}

const args = new MergeStatesArgs();

/** Merges states in order: `out = Σ exp(lseᵢ) · stateᵢ / Σ exp(lseᵢ)`. A state with LSE -Infinity counts for nothing. Returns `out`. */
export function mergeStates({ states, lses, out, lse, stream }: MergeStatesOptions): Tensor {
  const { device, dtype, shape } = states;
  const place = stream ?? device.stream;
  if (shape.length !== 4 || (dtype !== "bf16" && dtype !== "f16" && dtype !== "f32")) {
    throw new InvalidArgumentError(
      `Cannot merge states: states are ${dtype} [${shape}]. Expected bf16, f16 or f32 [numStates, numTokens, numHeads, headDim].`,
    );
  }
  const [numStates, numTokens, numHeads, headDim] = shape;
  if (numStates < 1) throw new InvalidArgumentError("Cannot merge states: there are none. Pass at least one.");
  expect("states", states, dtype, shape);
  expect("lses", lses, "f32", [numStates, numTokens, numHeads]);
  if (out !== undefined) expect("out", out, dtype, [numTokens, numHeads, headDim]);
  if (lse !== undefined) expect("lse", lse, "f32", [numTokens, numHeads]);
  if ([lses, out, lse, place].some((other) => other !== undefined && other.device !== device)) {
    throw new InvalidArgumentError("Cannot merge states: states, lses, out, lse and the stream must be of one device.");
  }
  return withOutput(out, () => device.tensor([numTokens, numHeads, headDim], dtype), (result) => {
    if (numTokens * numHeads === 0 || headDim === 0) return;
    args.dtype = DTYPE_CODE[dtype];
    args.numRows = numTokens * numHeads;
    args.numStates = numStates;
    args.headDim = headDim;
    args.states = states.address;
    args.statesLse = lses.address;
    args.out = result.address;
    args.lse = lse?.address ?? 0;
    device.native.check(device.native.fp_merge_states(place.handle, args.bytes), "merge states");
  });
}

function expect(name: string, tensor: Tensor, dtype: string, shape: readonly number[]): void {
  if (
    tensor.dtype !== dtype || tensor.shape.length !== shape.length || shape.some((n, i) => tensor.shape[i] !== n) ||
    !tensor.isContiguous
  ) {
    throw new InvalidArgumentError(
      `Cannot merge states: ${name} is ${tensor.dtype} [${tensor.shape}] with strides [${tensor.strides}]. Expected contiguous ${dtype} [${shape}].`,
    );
  }
}

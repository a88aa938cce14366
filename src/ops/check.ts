/**
 * Checks that the operations share. Every message names the tensor, what it is and what it should be.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import type { Device } from "../device/device.ts";
import type { DType } from "../device/dtype.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";

/** Where an operation runs: the first tensor's device, and the stream given or that device's own. */
export function placeOf(action: string, tensor: Tensor, stream: Stream | undefined): Stream {
  const chosen = stream ?? tensor.device.stream;
  if (chosen.device !== tensor.device) {
    throw new InvalidArgumentError(
      `Cannot ${action}: the stream belongs to another device than the tensors (${tensor.device.name}).`,
    );
  }
  return chosen;
}

/**
 * Refuses a tensor that is not what the operation takes.
 *
 * @param shape expected sizes; -1 takes any.
 */
export function expectTensor(
  action: string,
  name: string,
  tensor: Tensor,
  device: Device,
  dtype: DType | readonly DType[],
  shape: readonly number[],
): void {
  if (tensor.device !== device) {
    throw new InvalidArgumentError(
      `Cannot ${action}: ${name} lies on another device than the other tensors (${device.name}).`,
    );
  }
  if (typeof dtype === "string" ? tensor.dtype !== dtype : !dtype.includes(tensor.dtype)) {
    throw new InvalidArgumentError(
      `Cannot ${action}: ${name} has dtype ${tensor.dtype}. Expected ${
        typeof dtype === "string" ? dtype : dtype.join(" or ")
      }.`,
    );
  }
  if (tensor.shape.length !== shape.length || shape.some((n, i) => n >= 0 && tensor.shape[i] !== n)) {
    const want = shape.map((n) => n < 0 ? "any" : n);
    throw new InvalidArgumentError(`Cannot ${action}: ${name} has shape [${tensor.shape}]. Expected [${want}].`);
  }
  if (shape.length > 0 && tensor.strides[shape.length - 1] !== 1 && tensor.shape[shape.length - 1] > 1) {
    throw new InvalidArgumentError(
      `Cannot ${action}: ${name} has innermost stride ${tensor.strides[shape.length - 1]}. It must be 1.`,
    );
  }
}

/**
 * Runs an operation on the caller's output, or on a new one that goes back if the operation is refused.
 *
 * @param out the caller's, if any.
 * @param create makes a new one.
 * @param enqueue checks the output and enqueues the operation.
 */
export function withOutput(out: Tensor | undefined, create: () => Tensor, enqueue: (result: Tensor) => void): Tensor {
  const result = out ?? create();
  try {
    enqueue(result);
  } catch (error) {
    if (out === undefined) result.dispose();
    throw error;
  }
  return result;
}

/** Refuses a number that is not an integer in a range. */
export function expectInteger(action: string, name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(`Cannot ${action}: ${name} is ${value}. Pass an integer from ${min} to ${max}.`);
  }
}

/** FP8 in tests: whether a device has attention over it, which the library alone knows. */
import assert from "node:assert/strict";
import { BatchAttention, type Device, type Fp8DType, NotSupportedError } from "../../mod.ts";

/** The FP8 dtypes. */
export const FP8_DTYPES: readonly Fp8DType[] = ["e4m3", "e5m2"];

/** True if the device has attention over FP8. The CPU must; another device must say by name that it does not. */
export function hasFp8(device: Device, kvDtype: Fp8DType = "e4m3"): boolean {
  try {
    new BatchAttention(device, { numQoHeads: 1, numKvHeads: 1, headDim: 64, dtype: "bf16", kvDtype }).dispose();
    return true;
  } catch (error) {
    if (!(error instanceof NotSupportedError) || device.kind === "cpu") throw error;
    assert.match(error.message, new RegExp(`kv_dtype is ${kvDtype}.*do not read FP8`));
    return false;
  }
}

/** Half the distance between FP8's neighbours at `value`: what rounding to nearest may cost. */
export function fp8Rounding(dtype: Fp8DType, value: number): number {
  const [relative, smallest] = dtype === "e4m3" ? [2 ** -4, 2 ** -10] : [2 ** -3, 2 ** -17];
  return Math.max(Math.abs(value) * relative, smallest);
}

/**
 * Element types, and conversion between what JavaScript has and what devices use.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { Dtype } from "../ffi/structs.gen.ts";

/** Element type of a tensor. */
export type DType = "f32" | "f16" | "bf16" | "i32" | "u8";

/** The ABI's number of a dtype. */
export const DTYPE_CODE: Readonly<Record<DType, number>> = {
  f32: Dtype.F32,
  f16: Dtype.F16,
  bf16: Dtype.BF16,
  i32: Dtype.I32,
  u8: Dtype.U8,
};

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f32: 4, f16: 2, bf16: 2, i32: 4, u8: 1 };

/** Raw elements as the device stores them; f16 and bf16 as 16-bit patterns. */
export type RawArray =
  | Float32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

const floatScratch = new Float32Array(new ArrayBuffer(4));
const bitsScratch = new Uint32Array(floatScratch.buffer);

/** An uninitialised host array for `count` elements. Backed by a buffer of its own, so that it never moves. */
export function rawArray(dtype: DType, count: number): RawArray {
  const buffer = new ArrayBuffer(count * DTYPE_BYTES[dtype]);
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer);
    case "i32":
      return new Int32Array(buffer);
    case "u8":
      return new Uint8Array(buffer);
    default:
      return new Uint16Array(buffer);
  }
}

/** f32 numbers as bf16 patterns, rounded to nearest even. NaN stays NaN. */
export function toBf16(source: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const floats = source instanceof Float32Array ? source : Float32Array.from(source);
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const out = new Uint16Array(new ArrayBuffer(2 * floats.length));
  for (let i = 0; i < out.length; i++) {
    const b = bits[i];
    out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** bf16 patterns as f32 numbers; exact. */
export function fromBf16(source: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(new ArrayBuffer(4 * source.length));
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16;
  return out;
}

/** Numbers, first rounded to f32, as f16 patterns, rounded to nearest even; too large ones become infinite. */
export function toF16(source: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(new ArrayBuffer(2 * source.length));
  for (let i = 0; i < out.length; i++) {
    floatScratch[0] = source[i];
    out[i] = f16Bits(bitsScratch[0]);
  }
  return out;
}

function f16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity.
  if (magnitude >= 0x38800000) { // Normal: the exponent is rebased, 13 bits are rounded off.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  const shift = 126 - (magnitude >>> 23); // Subnormal: a unit is 2^-24.
  if (shift > 24) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = 1 << (shift - 1);
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** f16 patterns as f32 numbers; exact. */
export function fromF16(source: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(new ArrayBuffer(4 * source.length));
  for (let i = 0; i < source.length; i++) {
    const bits = source[i];
    const exponent = (bits >>> 10) & 0x1f;
    const mantissa = bits & 0x3ff;
    const value = exponent === 0
      ? mantissa * 2 ** -24
      : exponent === 31
      ? (mantissa === 0 ? Infinity : NaN)
      : (mantissa + 1024) * 2 ** (exponent - 25);
    out[i] = bits & 0x8000 ? -value : value;
  }
  return out;
}

/** Host numbers as raw elements. Arrays that hold raw elements already (`Uint16Array` for f16 and bf16) are passed on as they are. */
export function toRaw(dtype: DType, source: ArrayLike<number>): Float32Array | Uint16Array | Int32Array | Uint8Array {
  switch (dtype) {
    case "f32":
      return source instanceof Float32Array ? source : Float32Array.from(source);
    case "bf16":
      return source instanceof Uint16Array ? source : toBf16(source);
    case "f16":
      return source instanceof Uint16Array ? source : toF16(source);
    case "i32":
      return source instanceof Int32Array
        ? source
        : Int32Array.from(source, (value) => integer(value, -0x80000000, 0x7fffffff, "i32"));
    case "u8":
      return source instanceof Uint8Array ? source : Uint8Array.from(source, (value) => integer(value, 0, 255, "u8"));
  }
}

/** Raw elements as numbers: f16 and bf16 as a `Float32Array`, others as they are. */
export function fromRaw(
  dtype: DType,
  raw: RawArray,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  if (dtype === "bf16") return fromBf16(raw as Uint16Array);
  if (dtype === "f16") return fromF16(raw as Uint16Array);
  return raw as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
}

function integer(value: number, min: number, max: number, dtype: string): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(
      `Cannot write ${value} to a tensor of dtype ${dtype}: it takes integers from ${min} to ${max}.`,
    );
  }
  return value;
}

/**
 * Element types, and conversion between what JavaScript has and what devices use.
 *
 * @module
 */
import { InvalidArgumentError } from "../errors.ts";
import { Dtype } from "../ffi/structs.gen.ts";

/**
 * Element type of a tensor.
 *
 * FP8 goes by the names of the OCP specification's two formats, which is what all of PyTorch's `float8_e4m3fn`, vLLM's `fp8_e4m3`, safetensors'
 * `F8_E4M3` and CUDA's `__nv_fp8_e4m3` have in common: `"e4m3"` reaches to 448 and has no infinity, `"e5m2"` reaches to 57344. They are dtypes
 * of KV caches, and e4m3 of queries beside them.
 */
export type DType = "f32" | "f16" | "bf16" | "i32" | "u8" | Fp8DType;

/** The 8-bit floating dtypes. */
export type Fp8DType = "e4m3" | "e5m2";

/** The ABI's number of a dtype. */
export const DTYPE_CODE: Readonly<Record<DType, number>> = {
  f32: Dtype.F32,
  f16: Dtype.F16,
  bf16: Dtype.BF16,
  i32: Dtype.I32,
  u8: Dtype.U8,
  e4m3: Dtype.E4M3,
  e5m2: Dtype.E5M2,
};

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  i32: 4,
  u8: 1,
  e4m3: 1,
  e5m2: 1,
};

/** True for the 8-bit floating dtypes. */
export function isFp8(dtype: DType): dtype is Fp8DType {
  return dtype === "e4m3" || dtype === "e5m2";
}

/** Raw elements as the device stores them; f16 and bf16 as 16-bit patterns, FP8 as 8-bit ones. */
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
    case "e4m3":
    case "e5m2":
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

/** What an FP8 format is made of: a sign, then the exponent, then the mantissa. */
interface Fp8Format {
  readonly mantissaBits: number;
  /** The smallest normal number is 2^(1 - bias). */
  readonly bias: number;
  /** Pattern of the largest finite number. */
  readonly largest: number;
}

const FP8_FORMATS: Readonly<Record<Fp8DType, Fp8Format>> = {
  e4m3: { mantissaBits: 3, bias: 7, largest: 0x7e },
  e5m2: { mantissaBits: 2, bias: 15, largest: 0x7b },
};

/**
 * Numbers, first rounded to f32, as FP8 patterns, rounded to nearest even. What is too large, infinities too, becomes the largest finite
 * number, as conversions on GPUs do when they saturate; NaN stays NaN.
 */
export function toFp8(dtype: Fp8DType, source: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const { mantissaBits, bias, largest } = FP8_FORMATS[dtype];
  const shift = 23 - mantissaBits;
  const smallestNormal = (128 - bias) << 23;
  const unitsPerOne = 2 ** (mantissaBits + bias - 1); // A unit is the smallest subnormal.
  const out = new Uint8Array(new ArrayBuffer(source.length));
  for (let i = 0; i < out.length; i++) {
    floatScratch[0] = source[i];
    const sign = (bitsScratch[0] >>> 24) & 0x80;
    const magnitude = bitsScratch[0] & 0x7fffffff;
    let bits: number;
    if (magnitude > 0x7f800000) bits = 0x7f;
    else if (magnitude >= smallestNormal) {
      const rebased = magnitude - ((127 - bias) << 23);
      bits = Math.min(largest, (rebased + (1 << (shift - 1)) - 1 + ((magnitude >>> shift) & 1)) >>> shift);
    } else {
      const units = Math.abs(floatScratch[0]) * unitsPerOne;
      const kept = Math.floor(units);
      bits = kept + (units - kept > 0.5 || (units - kept === 0.5 && kept % 2 === 1) ? 1 : 0);
    }
    out[i] = sign | bits;
  }
  return out;
}

/** FP8 patterns as f32 numbers; exact. */
export function fromFp8(dtype: Fp8DType, source: Uint8Array): Float32Array<ArrayBuffer> {
  const { mantissaBits, bias, largest } = FP8_FORMATS[dtype];
  const out = new Float32Array(new ArrayBuffer(4 * source.length));
  for (let i = 0; i < source.length; i++) {
    const bits = source[i] & 0x7f;
    const exponent = bits >>> mantissaBits;
    const fraction = (bits & ((1 << mantissaBits) - 1)) / (1 << mantissaBits);
    let value = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
    if (bits > largest) value = dtype === "e5m2" && fraction === 0 ? Infinity : NaN;
    out[i] = source[i] & 0x80 ? -value : value;
  }
  return out;
}

/**
 * Host numbers as raw elements. Arrays that hold raw elements already (`Uint16Array` for f16 and bf16, `Uint8Array` for FP8) are passed on as
 * they are.
 */
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
    case "e4m3":
    case "e5m2":
      return source instanceof Uint8Array ? source : toFp8(dtype, source);
  }
}

/** Raw elements as numbers: f16, bf16 and FP8 as a `Float32Array`, others as they are. */
export function fromRaw(
  dtype: DType,
  raw: RawArray,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  if (dtype === "bf16") return fromBf16(raw as Uint16Array);
  if (dtype === "f16") return fromF16(raw as Uint16Array);
  if (isFp8(dtype)) return fromFp8(dtype, raw as Uint8Array);
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

/**
 * ggml's first quantised formats: blocks of 32 weights with one f16 scale `d`, and in the "_1" formats an f16 minimum `m`.
 *
 * Nibbles lie so that byte i holds weight i (low) and weight i + 16 (high). Layouts: ggml-common.h, `block_q4_0` to `block_q8_0`.
 */
import { f16At } from "./half.ts";

const BLOCK = 32;
const HALF = 16;

/** d, 16 bytes of nibbles: `d * (q - 8)`. */
export function dequantiseQ4_0(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 18, o += BLOCK) {
    const d = f16At(bytes, at);
    for (let i = 0; i < HALF; i++) {
      const q = bytes[at + 2 + i];
      out[o + i] = d * ((q & 15) - 8);
      out[o + HALF + i] = d * ((q >> 4) - 8);
    }
  }
}

/** d, m, 16 bytes of nibbles: `d * q + m`. */
export function dequantiseQ4_1(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 20, o += BLOCK) {
    const d = f16At(bytes, at);
    const m = f16At(bytes, at + 2);
    for (let i = 0; i < HALF; i++) {
      const q = bytes[at + 4 + i];
      out[o + i] = d * (q & 15) + m;
      out[o + HALF + i] = d * (q >> 4) + m;
    }
  }
}

/** d, 32 fifth bits, 16 bytes of nibbles: `d * (q - 16)`. */
export function dequantiseQ5_0(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 22, o += BLOCK) {
    const d = f16At(bytes, at);
    const fifth = u32At(bytes, at + 2);
    for (let i = 0; i < HALF; i++) {
      const q = bytes[at + 6 + i];
      out[o + i] = d * (((q & 15) | (((fifth >>> i) & 1) << 4)) - 16);
      out[o + HALF + i] = d * (((q >> 4) | (((fifth >>> (HALF + i)) & 1) << 4)) - 16);
    }
  }
}

/** d, m, 32 fifth bits, 16 bytes of nibbles: `d * q + m`. */
export function dequantiseQ5_1(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 24, o += BLOCK) {
    const d = f16At(bytes, at);
    const m = f16At(bytes, at + 2);
    const fifth = u32At(bytes, at + 4);
    for (let i = 0; i < HALF; i++) {
      const q = bytes[at + 8 + i];
      out[o + i] = d * ((q & 15) | (((fifth >>> i) & 1) << 4)) + m;
      out[o + HALF + i] = d * ((q >> 4) | (((fifth >>> (HALF + i)) & 1) << 4)) + m;
    }
  }
}

/** d, 32 signed bytes: `d * q`. */
export function dequantiseQ8_0(bytes: Uint8Array, out: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0, o = 0; o < out.length; at += 34, o += BLOCK) {
    const d = f16At(bytes, at);
    for (let i = 0; i < BLOCK; i++) out[o + i] = d * signed[at + 2 + i];
  }
}

function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/**
 * ggml's "K" formats: super-blocks of 256 weights with an f16 scale `d` (and minimum `dmin`) over the small integer scales of
 * their 8 or 16 sub-blocks. Layouts: ggml-common.h, `block_q2_K` to `block_q6_K`; the loops below walk them as stored.
 */
import { f16At } from "./half.ts";

/** 16 bytes of (scale | minimum << 4), 64 of 2-bit weights, d, dmin: `d * scale * q - dmin * minimum`, sub-blocks of 16. */
export function dequantiseQ2_K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 84) {
    const d = f16At(bytes, at + 80);
    const dmin = f16At(bytes, at + 82);
    for (let sub = 0; sub < 16; sub++, o += 16) {
      const scale = d * (bytes[at + sub] & 15);
      const minimum = dmin * (bytes[at + sub] >> 4);
      const { quarter, shift } = twoBitPlace(sub);
      for (let i = 0; i < 16; i++) out[o + i] = scale * ((bytes[at + 16 + quarter + i] >> shift) & 3) - minimum;
    }
  }
}

/** 32 bytes of third bits, 64 of 2-bit weights, 12 of 6-bit scales, d: `d * (scale - 32) * q`, q from -4 to 3, sub-blocks of 16. */
export function dequantiseQ3_K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 110) {
    const d = f16At(bytes, at + 108);
    for (let sub = 0; sub < 16; sub++, o += 16) {
      const scales = at + 96;
      const low = sub < 8 ? bytes[scales + sub] & 15 : bytes[scales + sub - 8] >> 4;
      const high = (bytes[scales + 8 + sub % 4] >> (2 * (sub >> 2))) & 3;
      const scale = d * ((low | (high << 4)) - 32);
      const { quarter, shift } = twoBitPlace(sub);
      const third = at + (sub & 1) * 16;
      const thirdBit = sub >> 1; // One bit of each of the 32 bytes for each run of 32 weights.
      for (let i = 0; i < 16; i++) {
        const q = (bytes[at + 32 + quarter + i] >> shift) & 3;
        out[o + i] = scale * (q - ((bytes[third + i] >> thirdBit) & 1 ? 0 : 4));
      }
    }
  }
}

/** d, dmin, 12 bytes of 6-bit scales and minima, 128 of nibbles: `d * scale * q - dmin * minimum`, sub-blocks of 32. */
export function dequantiseQ4_K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 144) {
    for (let sub = 0; sub < 8; sub++, o += 32) {
      const scale = f16At(bytes, at) * scaleK4(bytes, at + 4, sub);
      const minimum = f16At(bytes, at + 2) * minimumK4(bytes, at + 4, sub);
      const nibbles = at + 16 + (sub >> 1) * 32;
      const shift = (sub & 1) * 4;
      for (let i = 0; i < 32; i++) out[o + i] = scale * ((bytes[nibbles + i] >> shift) & 15) - minimum;
    }
  }
}

/** As Q4_K, with 32 bytes of fifth bits before the nibbles. */
export function dequantiseQ5_K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 176) {
    for (let sub = 0; sub < 8; sub++, o += 32) {
      const scale = f16At(bytes, at) * scaleK4(bytes, at + 4, sub);
      const minimum = f16At(bytes, at + 2) * minimumK4(bytes, at + 4, sub);
      const nibbles = at + 48 + (sub >> 1) * 32;
      const shift = (sub & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const fifth = (bytes[at + 16 + i] >> sub) & 1;
        out[o + i] = scale * (((bytes[nibbles + i] >> shift) & 15) | (fifth << 4)) - minimum;
      }
    }
  }
}

/** 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, d: `d * scale * (q - 32)`, sub-blocks of 16. */
export function dequantiseQ6_K(bytes: Uint8Array, out: Float32Array): void {
  for (let at = 0, o = 0; o < out.length; at += 210) {
    const d = f16At(bytes, at + 208);
    for (let sub = 0; sub < 16; sub++, o += 16) {
      const scale = d * ((bytes[at + 192 + sub] << 24) >> 24);
      const half = sub >> 3; // 128 weights: 64 bytes of nibbles, 32 of bit pairs.
      const run = (sub >> 1) & 3; // 32 weights of the half.
      const within = (sub & 1) * 16;
      const nibbles = at + half * 64 + (run & 1) * 32 + within;
      const pairs = at + 128 + half * 32 + within;
      const nibbleShift = (run >> 1) * 4;
      for (let i = 0; i < 16; i++) {
        const low = (bytes[nibbles + i] >> nibbleShift) & 15;
        const high = (bytes[pairs + i] >> (2 * run)) & 3;
        out[o + i] = scale * ((low | (high << 4)) - 32);
      }
    }
  }
}

/** Where the 2-bit weights of a sub-block of 16 lie: 32 bytes hold 128 weights, one bit pair of each for each run of 32. */
function twoBitPlace(sub: number): { quarter: number; shift: number } {
  return { quarter: (sub >> 3) * 32 + (sub & 1) * 16, shift: 2 * ((sub >> 1) & 3) };
}

/** 6-bit scale of sub-block 0 to 7; the last four borrow the top bits of the first eight bytes. */
function scaleK4(bytes: Uint8Array, at: number, sub: number): number {
  return sub < 4 ? bytes[at + sub] & 63 : (bytes[at + sub + 4] & 15) | ((bytes[at + sub - 4] >> 6) << 4);
}

function minimumK4(bytes: Uint8Array, at: number, sub: number): number {
  return sub < 4 ? bytes[at + sub + 4] & 63 : (bytes[at + sub + 4] >> 4) | ((bytes[at + sub] >> 6) << 4);
}

/** f16 to f32 by table: scales of quantised blocks are f16. */

/** The f32 number of each f16 pattern: [65536]. */
export const F16_TO_F32: Float32Array = Float32Array.from({ length: 0x10000 }, (_, bits) => {
  const [exponent, mantissa] = [(bits >>> 10) & 0x1f, bits & 0x3ff];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (mantissa + 1024) * 2 ** (exponent - 25);
});

/** The f16 number whose two bytes begin at `at`. */
export function f16At(bytes: Uint8Array, at: number): number {
  return F16_TO_F32[bytes[at] | (bytes[at + 1] << 8)];
}

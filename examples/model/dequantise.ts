/** ggml's tensor formats: how weights are packed into blocks, and how to get f32 numbers back. */
import { ModelError } from "./errors.ts";
import { F16_TO_F32 } from "./half.ts";
import { dequantiseQ2_K, dequantiseQ3_K, dequantiseQ4_K, dequantiseQ5_K, dequantiseQ6_K } from "./k_quants.ts";
import { dequantiseQ4_0, dequantiseQ4_1, dequantiseQ5_0, dequantiseQ5_1, dequantiseQ8_0 } from "./quants.ts";

/** How a tensor is packed. */
export interface BlockFormat {
  /** ggml's name, for example "Q4_K". */
  readonly name: string;
  /** Weights a block. */
  readonly blockLength: number;
  /** Bytes a block. */
  readonly blockBytes: number;
  /** Unpacks whole blocks: `out` has as many elements as `bytes` holds weights. */
  readonly dequantise: (bytes: Uint8Array<ArrayBuffer>, out: Float32Array) => void;
}

/** By ggml's type number. */
const FORMATS = new Map<number, BlockFormat>([
  [0, { name: "F32", blockLength: 1, blockBytes: 4, dequantise: unpackF32 }],
  [1, { name: "F16", blockLength: 1, blockBytes: 2, dequantise: unpackF16 }],
  [2, { name: "Q4_0", blockLength: 32, blockBytes: 18, dequantise: dequantiseQ4_0 }],
  [3, { name: "Q4_1", blockLength: 32, blockBytes: 20, dequantise: dequantiseQ4_1 }],
  [6, { name: "Q5_0", blockLength: 32, blockBytes: 22, dequantise: dequantiseQ5_0 }],
  [7, { name: "Q5_1", blockLength: 32, blockBytes: 24, dequantise: dequantiseQ5_1 }],
  [8, { name: "Q8_0", blockLength: 32, blockBytes: 34, dequantise: dequantiseQ8_0 }],
  [10, { name: "Q2_K", blockLength: 256, blockBytes: 84, dequantise: dequantiseQ2_K }],
  [11, { name: "Q3_K", blockLength: 256, blockBytes: 110, dequantise: dequantiseQ3_K }],
  [12, { name: "Q4_K", blockLength: 256, blockBytes: 144, dequantise: dequantiseQ4_K }],
  [13, { name: "Q5_K", blockLength: 256, blockBytes: 176, dequantise: dequantiseQ5_K }],
  [14, { name: "Q6_K", blockLength: 256, blockBytes: 210, dequantise: dequantiseQ6_K }],
  [30, { name: "BF16", blockLength: 1, blockBytes: 2, dequantise: unpackBf16 }],
]);

/** The format of a type number. @throws {ModelError} for one that is not supported. */
export function blockFormat(type: number, tensorName: string): BlockFormat {
  const format = FORMATS.get(type);
  if (format === undefined) {
    const names = [...FORMATS.values()].map(({ name }) => name).join(", ");
    throw new ModelError(
      `Cannot read tensor ${tensorName}: its ggml type is ${type}. Supported: ${names}. Take a file quantised to one of them.`,
    );
  }
  return format;
}

/** All supported formats. */
export function blockFormats(): BlockFormat[] {
  return [...FORMATS.values()];
}

function unpackF32(bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void {
  out.set(new Float32Array(bytes.buffer, bytes.byteOffset, out.length));
}

function unpackF16(bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void {
  const patterns = new Uint16Array(bytes.buffer, bytes.byteOffset, out.length);
  for (let i = 0; i < out.length; i++) out[i] = F16_TO_F32[patterns[i]];
}

function unpackBf16(bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void {
  const patterns = new Uint16Array(bytes.buffer, bytes.byteOffset, out.length);
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < out.length; i++) bits[i] = patterns[i] << 16;
}

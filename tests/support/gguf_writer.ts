/** Writes tiny GGUF files for tests, right or damaged. */

/** A metadata value with its type's number. */
export interface TypedValue {
  type: number;
  bytes: number[];
}

const little = (write: (view: DataView) => void, size: number): number[] => {
  const view = new DataView(new ArrayBuffer(size));
  write(view);
  return [...new Uint8Array(view.buffer)];
};
export const u32 = (value: number): number[] => little((view) => view.setUint32(0, value, true), 4);
export const u64 = (value: number): number[] => little((view) => view.setBigUint64(0, BigInt(value), true), 8);
export const f32 = (value: number): number[] => little((view) => view.setFloat32(0, value, true), 4);
export const text = (value: string): number[] => {
  const bytes = new TextEncoder().encode(value);
  return [...u64(bytes.length), ...bytes];
};

export const uint = (value: number): TypedValue => ({ type: 4, bytes: u32(value) });
export const float = (value: number): TypedValue => ({ type: 6, bytes: f32(value) });
export const bool = (value: boolean): TypedValue => ({ type: 7, bytes: [value ? 1 : 0] });
export const string = (value: string): TypedValue => ({ type: 8, bytes: text(value) });
export const strings = (values: string[]): TypedValue => ({
  type: 9,
  bytes: [...u32(8), ...u64(values.length), ...values.flatMap(text)],
});
export const floats = (values: number[]): TypedValue => ({
  type: 9,
  bytes: [...u32(6), ...u64(values.length), ...values.flatMap(f32)],
});
export const uints = (values: number[]): TypedValue => ({
  type: 9,
  bytes: [...u32(4), ...u64(values.length), ...values.flatMap(u32)],
});

/** A tensor to write: f32 unless a type and its raw blocks are given. */
export interface TensorSpec {
  /** Innermost size first, as GGUF has it. */
  dims: number[];
  values?: ArrayLike<number>;
  type?: number;
  blocks?: Uint8Array;
}

/** What to write. */
export interface GgufSpec {
  magic?: string;
  version?: number;
  numTensors?: number;
  numKeys?: number;
  metadata?: [string, TypedValue][];
  tensors?: [string, TensorSpec][];
  alignment?: number;
}

/** The bytes of a GGUF file. */
export function ggufBytes(spec: GgufSpec): Uint8Array {
  const { magic = "GGUF", version = 3, metadata = [], tensors = [], alignment = 32 } = spec;
  const head = [...new TextEncoder().encode(magic), ...u32(version)];
  head.push(...u64(spec.numTensors ?? tensors.length), ...u64(spec.numKeys ?? metadata.length));
  for (const [key, { type, bytes }] of metadata) {
    head.push(...text(key), ...u32(type));
    for (const byte of bytes) head.push(byte); // Too many for the arguments of one call.
  }
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dims, values = [], type = 0, blocks }] of tensors) {
    const bytes = blocks ?? new Uint8Array(Float32Array.from(values).buffer);
    head.push(...text(name), ...u32(dims.length), ...dims.flatMap(u64), ...u32(type), ...u64(offset));
    const padded = new Uint8Array(Math.ceil(bytes.length / alignment) * alignment);
    padded.set(bytes);
    data.push(padded);
    offset += padded.length;
  }
  const begin = Math.ceil(head.length / alignment) * alignment;
  const file = new Uint8Array(begin + offset);
  file.set(head);
  let at = begin;
  for (const part of data) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

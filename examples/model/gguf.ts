/**
 * Reads GGUF, the model format of llama.cpp (versions 2 and 3, little-endian; ggml's docs/gguf.md): typed metadata, then
 * where each tensor lies. Every count and range is checked against the file's size before it is used.
 */
import { ByteCursor, type ByteSource, fileSource } from "./byte_source.ts";
import { type BlockFormat, blockFormat } from "./dequantise.ts";
import { ModelError } from "./errors.ts";
import { Metadata, type MetadataValue } from "./metadata.ts";

/** A tensor of a GGUF file. */
export interface GgufTensor {
  readonly name: string;
  /** Sizes, outermost first (GGUF stores them the other way round). */
  readonly shape: readonly number[];
  readonly format: BlockFormat;
  readonly numElements: number;
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** An open GGUF file. */
export class GgufFile implements Disposable {
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly #source: ByteSource;

  /** @throws {ModelError} naming what is wrong with the file. */
  constructor(source: ByteSource) {
    this.#source = source;
    const cursor = new ByteCursor(source);
    const { numTensors, numKeys } = readHeader(cursor, source.name);
    this.metadata = readMetadata(cursor, source.name, numKeys);
    this.tensors = readTensors(cursor, source, numTensors, this.metadata.integer("general.alignment", 32));
  }

  /** Opens a file. @throws {ModelError} naming what is wrong with it. */
  static open(path: string): GgufFile {
    const source = fileSource(path);
    try {
      return new GgufFile(source);
    } catch (error) {
      source[Symbol.dispose]();
      throw error;
    }
  }

  /** Path of the file. */
  get name(): string {
    return this.#source.name;
  }

  /** A tensor's entry. @throws {ModelError} if the file has none of that name. */
  tensor(name: string): GgufTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) {
      throw new ModelError(
        `Cannot load ${this.name}: it has no tensor ${name}. It is not a whole model of this family.`,
      );
    }
    return tensor;
  }

  /** The raw blocks of a tensor from element `begin` to `end`; both at block boundaries. */
  readBlocks({ format, byteOffset }: GgufTensor, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const { blockBytes, blockLength } = format;
    return this.#source.read(
      byteOffset + begin / blockLength * blockBytes,
      (end - begin) / blockLength * blockBytes,
    );
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
  }
}

const MAGIC = 0x46554747; // "GGUF"

function readHeader(cursor: ByteCursor, name: string): { numTensors: number; numKeys: number } {
  const magic = cursor.remaining >= 4 ? cursor.u32() : 0;
  if (magic !== MAGIC) {
    throw new ModelError(`Cannot read ${name}: it is no GGUF file (its first bytes are not "GGUF").`);
  }
  const version = cursor.u32();
  if (version !== 2 && version !== 3) {
    throw new ModelError(
      `Cannot read ${name}: it is GGUF version ${version}. Versions 2 and 3, little-endian, are supported; convert it with a present llama.cpp.`,
    );
  }
  const [numTensors, numKeys] = [cursor.u64(), cursor.u64()];
  // A tensor's entry takes 24 bytes or more, a key's 13.
  if (24 * numTensors + 13 * numKeys > cursor.remaining) {
    throw new ModelError(
      `Cannot read ${name}: it claims ${numTensors} tensors and ${numKeys} keys, more than its ${cursor.remaining} remaining bytes can hold. The file is damaged; fetch it again.`,
    );
  }
  return { numTensors, numKeys };
}

/** Value types by their number in the file; `bytes` is the least that one takes. */
const VALUE_TYPES: readonly { bytes: number; read: (cursor: ByteCursor) => MetadataValue }[] = [
  { bytes: 1, read: (cursor) => cursor.u8() },
  { bytes: 1, read: (cursor) => cursor.i8() },
  { bytes: 2, read: (cursor) => cursor.u16() },
  { bytes: 2, read: (cursor) => cursor.i16() },
  { bytes: 4, read: (cursor) => cursor.u32() },
  { bytes: 4, read: (cursor) => cursor.i32() },
  { bytes: 4, read: (cursor) => cursor.f32() },
  { bytes: 1, read: (cursor) => cursor.u8() !== 0 },
  { bytes: 8, read: (cursor) => cursor.string() },
  { bytes: 12, read: readArray },
  { bytes: 8, read: (cursor) => cursor.u64() },
  { bytes: 8, read: (cursor) => cursor.i64() },
  { bytes: 8, read: (cursor) => cursor.f64() },
];
const ARRAY_TYPE = 9;

function readMetadata(cursor: ByteCursor, name: string, numKeys: number): Metadata {
  const values = new Map<string, MetadataValue>();
  for (let i = 0; i < numKeys; i++) {
    const key = cursor.string();
    if (values.has(key)) throw new ModelError(`Cannot read ${name}: its metadata has ${key} twice.`);
    values.set(key, valueType(cursor.u32(), key).read(cursor));
  }
  return new Metadata(name, values);
}

function valueType(type: number, where: string): (typeof VALUE_TYPES)[number] {
  const entry = VALUE_TYPES[type];
  if (entry === undefined) {
    throw new ModelError(
      `Cannot read GGUF metadata: ${where} has value type ${type}; 0 to ${
        VALUE_TYPES.length - 1
      } exist. The file is damaged; fetch it again.`,
    );
  }
  return entry;
}

function readArray(cursor: ByteCursor): MetadataValue {
  const type = cursor.u32();
  const count = cursor.u64();
  const { bytes, read } = valueType(type, "an array");
  // Arrays of arrays occur in no model; refusing them also bounds the recursion.
  if (type === ARRAY_TYPE || count * bytes > cursor.remaining) {
    throw new ModelError(
      `Cannot read GGUF metadata: an array claims ${count} values of type ${type} with ${cursor.remaining} bytes left. The file is damaged; fetch it again.`,
    );
  }
  const values = new Array<MetadataValue>(count);
  for (let i = 0; i < count; i++) values[i] = read(cursor);
  return values as MetadataValue;
}

function readTensors(
  cursor: ByteCursor,
  { name: file, size }: ByteSource,
  numTensors: number,
  alignment: number,
): Map<string, GgufTensor> {
  if (alignment < 1) throw new ModelError(`Cannot read ${file}: general.alignment is ${alignment}.`);
  const entries: GgufTensor[] = [];
  for (let i = 0; i < numTensors; i++) {
    const name = cursor.string();
    const numDims = cursor.u32();
    if (numDims < 1 || numDims > 4) {
      throw new ModelError(`Cannot read ${file}: tensor ${name} has ${numDims} dimensions; 1 to 4 are possible.`);
    }
    const shape = Array.from({ length: numDims }, () => cursor.u64()).reverse();
    const format = blockFormat(cursor.u32(), name);
    const numElements = shape.reduce((product, dim) => product * dim, 1);
    if (!Number.isSafeInteger(numElements) || shape[numDims - 1] % format.blockLength !== 0) {
      throw new ModelError(
        `Cannot read ${file}: tensor ${name} has shape [${shape}], whose rows are no whole ${format.name} blocks of ${format.blockLength}.`,
      );
    }
    const byteLength = numElements / format.blockLength * format.blockBytes;
    entries.push({ name, shape, format, numElements, byteOffset: cursor.u64(), byteLength });
  }
  const dataBegin = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const entry of entries) {
    const byteOffset = dataBegin + entry.byteOffset;
    if (tensors.has(entry.name)) throw new ModelError(`Cannot read ${file}: it has two tensors ${entry.name}.`);
    if (byteOffset + entry.byteLength > size) {
      throw new ModelError(
        `Cannot read ${file}: tensor ${entry.name} ends at byte ${
          byteOffset + entry.byteLength
        }, the file at ${size}. The file was cut off; fetch it again.`,
      );
    }
    tensors.set(entry.name, { ...entry, byteOffset });
  }
  return tensors;
}

/** Reading a file by ranges, so that a model need not fit into the host's memory. Nothing is read past the end. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ModelError } from "./errors.ts";

/** Bytes that can be read at any place. */
export interface ByteSource extends Disposable {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset` on, in a buffer of their own. @throws {ModelError} past the end. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** A file. */
export function fileSource(path: string): ByteSource {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new ModelError(`Cannot read ${path}: ${(error as Error).message}. Check the path.`, { cause: error });
  }
  const facts = fstatSync(file);
  if (!facts.isFile()) {
    closeSync(file);
    throw new ModelError(`Cannot read ${path}: it is no file. Pass the path of a GGUF file.`);
  }
  const { size } = facts;
  return {
    name: path,
    size,
    read(offset, length) {
      checkRange(path, size, offset, length);
      const bytes = new Uint8Array(new ArrayBuffer(length));
      for (let done = 0; done < length;) {
        const count = readSync(file, bytes, done, length - done, offset + done);
        if (count === 0) throw new ModelError(`Cannot read ${path}: it became shorter while it was read.`);
        done += count;
      }
      return bytes;
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}

/** Bytes in memory. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, length) {
      checkRange(name, bytes.length, offset, length);
      return new Uint8Array(bytes.slice(offset, offset + length));
    },
    [Symbol.dispose]: () => {},
  };
}

function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset + length > size) {
    throw new ModelError(
      `Cannot read ${name}: bytes ${offset} to ${
        offset + length
      } are asked for, it has ${size}. The file was cut off; fetch it again.`,
    );
  }
}

/** Little-endian values read one after another, a window of the source at a time. */
export class ByteCursor {
  readonly #source: ByteSource;
  #position = 0;
  #window: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #windowBegin = 0;
  #at = 0;
  readonly #text = new TextDecoder();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Where the next value begins. */
  get position(): number {
    return this.#position;
  }

  /** Bytes from here to the end. */
  get remaining(): number {
    return this.#source.size - this.#position;
  }

  u8(): number {
    return this.#take(1).getUint8(this.#at);
  }

  i8(): number {
    return this.#take(1).getInt8(this.#at);
  }

  u16(): number {
    return this.#take(2).getUint16(this.#at, true);
  }

  i16(): number {
    return this.#take(2).getInt16(this.#at, true);
  }

  u32(): number {
    return this.#take(4).getUint32(this.#at, true);
  }

  i32(): number {
    return this.#take(4).getInt32(this.#at, true);
  }

  f32(): number {
    return this.#take(4).getFloat32(this.#at, true);
  }

  f64(): number {
    return this.#take(8).getFloat64(this.#at, true);
  }

  /** An unsigned 64-bit integer. @throws {ModelError} beyond 2^53 - 1. */
  u64(): number {
    return this.#exact(this.#take(8).getBigUint64(this.#at, true));
  }

  /** A signed 64-bit integer. @throws {ModelError} beyond 2^53 - 1 either way. */
  i64(): number {
    return this.#exact(this.#take(8).getBigInt64(this.#at, true));
  }

  /** UTF-8 text after its length in bytes. */
  string(): string {
    const length = this.u64();
    this.#take(length);
    return this.#text.decode(this.#window.subarray(this.#at, this.#at + length));
  }

  /** Moves on by `length` bytes. They begin at `#at` of the window, whose view is returned. */
  #take(length: number): DataView {
    if (length > this.remaining) checkRange(this.#source.name, this.#source.size, this.#position, length);
    if (this.#position + length > this.#windowBegin + this.#window.length) {
      this.#windowBegin = this.#position;
      this.#window = this.#source.read(this.#position, Math.min(this.remaining, Math.max(length, 1 << 20)));
      this.#view = new DataView(this.#window.buffer);
    }
    this.#at = this.#position - this.#windowBegin;
    this.#position += length;
    return this.#view;
  }

  #exact(value: bigint): number {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw new ModelError(
        `Cannot read ${this.#source.name}: it holds the integer ${value} at byte ${
          this.#position - 8
        }, which no model needs. The file is damaged; fetch it again.`,
      );
    }
    return number;
  }
}

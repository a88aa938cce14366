/** A GGUF file's metadata, read by type. */
import { ModelError } from "./errors.ts";

/** A value; 64-bit integers are exact numbers. */
export type MetadataValue = number | boolean | string | number[] | boolean[] | string[];

/** Keys and values, with checked access. */
export class Metadata {
  readonly #file: string;
  readonly #values: ReadonlyMap<string, MetadataValue>;

  /** `file`: for messages. */
  constructor(file: string, values: ReadonlyMap<string, MetadataValue>) {
    this.#file = file;
    this.#values = values;
  }

  /** True if the key is there. */
  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** A finite number. Without a `fallback` the key must be there. @throws {ModelError} if it is not, or holds something else. */
  number(key: string, fallback?: number): number {
    return this.#get(key, fallback, "a finite number", (value) => Number.isFinite(value));
  }

  /** An integer >= 0. */
  integer(key: string, fallback?: number): number {
    return this.#get(key, fallback, "an integer >= 0", (value) => Number.isInteger(value) && (value as number) >= 0);
  }

  /** True or false. */
  boolean(key: string, fallback?: boolean): boolean {
    return this.#get(key, fallback, "true or false", (value) => typeof value === "boolean");
  }

  /** Text. */
  string(key: string, fallback?: string): string {
    return this.#get(key, fallback, "text", (value) => typeof value === "string");
  }

  /** A list of texts. */
  strings(key: string): string[] {
    return this.#get<string[]>(key, undefined, "a list of texts", (value) => isListOf(value, "string"));
  }

  /** A list of numbers. */
  numbers(key: string): number[] {
    return this.#get<number[]>(key, undefined, "a list of numbers", (value) => isListOf(value, "number"));
  }

  #get<Value extends MetadataValue>(
    key: string,
    fallback: Value | undefined,
    expected: string,
    accepts: (value: MetadataValue) => boolean,
  ): Value {
    const value = this.#values.get(key);
    if (value === undefined) {
      if (fallback !== undefined) return fallback;
      throw new ModelError(`Cannot load ${this.#file}: its metadata lacks ${key}.`);
    }
    if (!accepts(value)) {
      const found = Array.isArray(value) ? `a list of ${value.length}` : JSON.stringify(value);
      throw new ModelError(`Cannot load ${this.#file}: ${key} is ${found}. Expected ${expected}.`);
    }
    return value as Value;
  }
}

function isListOf(value: MetadataValue, type: string): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === type);
}

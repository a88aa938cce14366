/**
 * Opens the library through `bun:ffi`.
 *
 * @module
 */
import { builtin } from "./runtime.ts";
import { type NativeSignature, SIGNATURES, type Symbols } from "./symbols.gen.ts";

type Foreign = (...args: unknown[]) => unknown;

interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: readonly string[]; returns: string }>,
  ): { symbols: Record<string, Foreign> };
}

/** Every function of the library at `path`. The library is never closed: a call after closing would crash. */
export function openWithBun(path: string): Symbols {
  const definitions: Record<string, { args: readonly string[]; returns: string }> = {};
  const entries = Object.entries(SIGNATURES) as [string, NativeSignature][];
  for (const [name, { parameters, result }] of entries) {
    // Bun's own "buffer" refuses null; "ptr" takes a typed array or null.
    definitions[name] = { args: parameters.map((type) => type === "buffer" ? "ptr" : type), returns: result };
  }
  const { symbols } = builtin<BunFfi>("bun:ffi").dlopen(path, definitions);
  const functions: Record<string, Foreign> = {};
  for (const [name, { result }] of entries) {
    const foreign = symbols[name];
    // A C string arrives as a string, or in older versions as a String object.
    functions[name] = result !== "cstring" ? foreign : (...args: unknown[]) => String(foreign(...args) ?? "");
  }
  return functions as unknown as Symbols;
}

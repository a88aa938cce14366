/**
 * Opens the library through `Deno.dlopen`.
 *
 * @module
 */
import { type NativeSignature, SIGNATURES, type Symbols } from "./symbols.gen.ts";

type Foreign = (...args: unknown[]) => unknown;

interface DenoFfi {
  dlopen(
    path: string,
    symbols: Record<string, { parameters: readonly string[]; result: string }>,
  ): { symbols: Record<string, Foreign> };
  UnsafePointerView: { getCString(pointer: unknown): string };
}

/** Every function of the library at `path`. The library is never closed: a call after closing would crash. */
export function openWithDeno(path: string): Symbols {
  const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  const definitions: Record<string, { parameters: readonly string[]; result: string }> = {};
  const entries = Object.entries(SIGNATURES) as [string, NativeSignature][];
  for (const [name, { parameters, result }] of entries) {
    definitions[name] = { parameters, result: result === "cstring" ? "pointer" : result };
  }
  const { symbols } = deno.dlopen(path, definitions);
  const functions: Record<string, Foreign> = {};
  for (const [name, { result }] of entries) {
    const foreign = symbols[name];
    functions[name] = result !== "cstring" ? foreign : (...args: unknown[]) => {
      const pointer = foreign(...args);
      return pointer === null ? "" : deno.UnsafePointerView.getCString(pointer);
    };
  }
  return functions as unknown as Symbols;
}

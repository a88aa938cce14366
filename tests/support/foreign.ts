/** Addresses of JavaScript's own memory: what a program has that got its tensors from another native library. */
import process from "node:process";

interface DenoPointers {
  UnsafePointer: { of(array: ArrayBufferView): unknown; value(pointer: unknown): bigint };
}

/**
 * The address of an array's first element. The array must be backed by an ArrayBuffer that was made explicitly (such memory never moves), and
 * must outlive what uses the address.
 */
export function addressOf(array: ArrayBufferView): number {
  const { Deno: deno } = globalThis as unknown as { Deno?: DenoPointers };
  if (deno !== undefined) return Number(deno.UnsafePointer.value(deno.UnsafePointer.of(array)));
  const ffi = process.getBuiltinModule("bun:ffi" as "fs") as unknown as { ptr(array: ArrayBufferView): number };
  return Number(ffi.ptr(array));
}

/**
 * Which JavaScript runtime this is, and its built-in modules without `node:` imports (those would ask `deno check` users for type packages).
 *
 * @module
 */
import { NativeLoadError } from "../errors.ts";

/** The runtimes with an FFI that flashpage binds. */
export type RuntimeName = "deno" | "bun";

interface Globals {
  Deno?: { dlopen?: unknown };
  Bun?: unknown;
  process?: {
    getBuiltinModule?: (name: string) => unknown;
    env: Record<string, string | undefined>;
    platform: string;
    arch: string;
  };
}

const globals = globalThis as unknown as Globals;

/** @throws {NativeLoadError} in a runtime without an FFI that flashpage binds. */
export function runtimeName(): RuntimeName {
  if (typeof globals.Deno?.dlopen === "function") return "deno";
  if (globals.Bun !== undefined) return "bun";
  throw new NativeLoadError(
    "Cannot open a device: this runtime has no FFI that flashpage binds. Run the program with Deno 2.9 or Bun 1.4, or later.",
  );
}

/** A built-in module such as `node:fs`; `Module` is the part of its type that the caller uses. */
export function builtin<Module>(name: string): Module {
  const module = globals.process?.getBuiltinModule?.(name);
  if (module === undefined) {
    throw new NativeLoadError(`Cannot open a device: this runtime has no built-in module ${name}. Update Deno or Bun.`);
  }
  return module as Module;
}

/** An environment variable; undefined if unset, empty, or not permitted to read. */
export function environment(name: string): string | undefined {
  try {
    return globals.process?.env[name] || undefined;
  } catch {
    return undefined; // Deno without --allow-env: the variable counts as unset.
  }
}

/** `process.platform` and `process.arch`, for example "linux" and "x64". */
export function system(): { platform: string; arch: string } {
  return { platform: globals.process?.platform ?? "unknown", arch: globals.process?.arch ?? "unknown" };
}

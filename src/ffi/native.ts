/**
 * The opened library: its functions, and statuses turned into typed errors.
 *
 * @module
 */
import {
  DeviceError,
  DisposedError,
  FlashpageError,
  InvalidArgumentError,
  NativeLoadError,
  NotSupportedError,
  OutOfMemoryError,
  UnavailableError,
} from "../errors.ts";
import { openWithBun } from "./bun.ts";
import { openWithDeno } from "./deno.ts";
import { findLibrary } from "./library.ts";
import { runtimeName } from "./runtime.ts";
import { StatusCode } from "./structs.gen.ts";
import { ABI_VERSION, type Symbols } from "./symbols.gen.ts";

/** The library's functions, and `check`. */
export interface Native extends Symbols {
  /**
   * Throws unless `status` is OK.
   *
   * @param action what was attempted, after "Cannot".
   */
  check(status: number, action: string): void;
  /** Where the library was loaded from. */
  readonly path: string;
}

let loaded: Promise<Native> | undefined;

/** Finds, verifies and opens the library; once a process, unless it failed. */
export function loadNative(): Promise<Native> {
  loaded ??= findAndOpen().catch((error) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function findAndOpen(): Promise<Native> {
  runtimeName(); // A runtime that can't open any library is told so first.
  return openLibrary(await findLibrary());
}

/** Opens the library at a path. @throws {NativeLoadError} if it can't be opened or has another ABI. */
export function openLibrary(path: string): Native {
  let symbols: Symbols;
  try {
    symbols = runtimeName() === "deno" ? openWithDeno(path) : openWithBun(path);
    symbols.fp_build_id(); // Deno reads texts through pointers, which --allow-ffi limited to a file does not permit.
  } catch (error) {
    if (error instanceof NativeLoadError) throw error;
    const remedy = (error as Error).name === "NotCapable"
      ? "Run Deno with --allow-ffi, not limited to a file."
      : "The file is no flashpage library of this version and platform, or misses something of the system.";
    throw new NativeLoadError(`Cannot open the native library ${path}: ${(error as Error).message}. ${remedy}`, {
      cause: error,
    });
  }
  const version = symbols.fp_abi_version();
  if (version !== ABI_VERSION) {
    throw new NativeLoadError(
      `Cannot use the native library ${path}: its ABI version is ${version}, this package needs ${ABI_VERSION}. Use the library of the same release.`,
    );
  }
  const check = (status: number, action: string): void => {
    if (status !== StatusCode.OK) throw errorOf(status, action, symbols.fp_last_error());
  };
  return { ...symbols, check, path };
}

function errorOf(status: number, action: string, reason: string): FlashpageError {
  const message = `Cannot ${action}: ${reason}`;
  switch (status) {
    case StatusCode.INVALID_ARGUMENT:
      return new InvalidArgumentError(message);
    case StatusCode.INVALID_HANDLE:
      return new DisposedError(message);
    case StatusCode.OUT_OF_MEMORY:
      return new OutOfMemoryError(message);
    case StatusCode.NOT_SUPPORTED:
      return new NotSupportedError(message);
    case StatusCode.UNAVAILABLE:
      return new UnavailableError(message);
    case StatusCode.DEVICE_ERROR:
      return new DeviceError(message);
    default:
      return new FlashpageError(`${message} (status ${status}). This is a bug in flashpage; please report it.`);
  }
}

/**
 * Finds the native library and makes sure it is the one this version was released with.
 *
 * In this order: the path in FLASHPAGE_LIBRARY (taken as it is: your own build); a path registered by a bundler entry; the file beside the
 * package; if the package itself came over HTTP, a file fetched from the same place into a user cache. All but the first must have
 * the pinned SHA-256, each time, also from the cache.
 *
 * @module
 */
import { NativeLoadError } from "../errors.ts";
import { currentPlatform, libraryFileName, type Platform } from "./platform.ts";
import { PREBUILT } from "./prebuilt.gen.ts";
import { builtin, environment } from "./runtime.ts";

interface FileSystem {
  readFileSync(path: string): Uint8Array;
  existsSync(path: string): boolean;
  mkdirSync(path: string, options: { recursive: boolean }): void;
  openSync(path: string, flags: string): number;
  writeSync(file: number, bytes: Uint8Array, offset: number): number;
  fsyncSync(file: number): void;
  closeSync(file: number): void;
  renameSync(from: string, to: string): void;
  rmSync(path: string, options: { force: boolean }): void;
}

interface Crypto {
  createHash(algorithm: string): { update(bytes: Uint8Array): { digest(encoding: string): string } };
  randomUUID(): string;
}

let registeredPath: string | undefined;

/** Not for users: the entry for Bun names the library that `bun build --compile` embedded. */
export function registerLibraryPath(path: string): void {
  registeredPath = path;
}

/** Where the library is, verified. @throws {NativeLoadError} naming the remedy. */
export async function findLibrary(moduleUrl: string = import.meta.url): Promise<string> {
  const override = environment("FLASHPAGE_LIBRARY");
  if (override !== undefined) return checkOverride(override);
  const platform = currentPlatform();
  const pinned = PREBUILT[platform];
  if (pinned === undefined) {
    throw new NativeLoadError(
      `Cannot open a device: this package holds no library for ${platform}. Build one with \`deno task build\`, and set FLASHPAGE_LIBRARY to its path.`,
    );
  }
  if (registeredPath !== undefined) {
    return verify(registeredPath, pinned.sha256, "Reinstall the package, or build the binary again.");
  }
  const url = new URL(moduleUrl);
  if (url.protocol === "file:") return findBeside(url, platform, pinned.sha256);
  if (url.protocol === "http:" || url.protocol === "https:") {
    return await fetchOnce(
      new URL(`../../native/prebuilt/${platform}/${libraryFileName(platform)}`, url),
      platform,
      pinned,
    );
  }
  throw new NativeLoadError(
    `Cannot open a device: the package was loaded from ${url.protocol} and has no files beside it. Set FLASHPAGE_LIBRARY to the path of ${
      libraryFileName(platform)
    }.`,
  );
}

function checkOverride(path: string): string {
  const fs = builtin<FileSystem>("node:fs");
  let exists: boolean;
  try {
    exists = fs.existsSync(path);
  } catch {
    exists = true; // No permission to look; opening it says more.
  }
  if (!exists) {
    throw new NativeLoadError(
      `Cannot open a device: FLASHPAGE_LIBRARY is "${path}", and there is no such file. Correct it, or unset it to use the prebuilt library.`,
    );
  }
  return path;
}

function findBeside(url: URL, platform: Platform, sha256: string): string {
  const fs = builtin<FileSystem>("node:fs");
  const { fileURLToPath } = builtin<{ fileURLToPath(url: URL): string }>("node:url");
  const tried: string[] = [];
  // Sources lie two levels below the package's root, compiled files (dist/src/ffi) three.
  for (const up of ["../../", "../../../"]) {
    const path = fileURLToPath(new URL(`${up}native/prebuilt/${platform}/${libraryFileName(platform)}`, url));
    tried.push(path);
    let exists: boolean;
    try {
      exists = fs.existsSync(path);
    } catch (error) {
      throw permissionError(`read ${path}`, "--allow-read", error);
    }
    if (exists) {
      return verify(
        path,
        sha256,
        "Reinstall the package; if the file is your own build, set FLASHPAGE_LIBRARY to its path.",
      );
    }
  }
  throw new NativeLoadError(
    `Cannot open a device: the library is at none of ${
      tried.join(", ")
    }. Reinstall the package, or set FLASHPAGE_LIBRARY to the library's path.`,
  );
}

function verify(path: string, sha256: string, remedy: string): string {
  let bytes: Uint8Array;
  try {
    bytes = builtin<FileSystem>("node:fs").readFileSync(path);
  } catch (error) {
    throw permissionError(`read ${path}`, "--allow-read", error);
  }
  const found = hashOf(bytes);
  if (found !== sha256) {
    throw new NativeLoadError(
      `Cannot open a device: ${path} is not the library this version was released with (SHA-256 ${found}, expected ${sha256}). ${remedy}`,
    );
  }
  return path;
}

function hashOf(bytes: Uint8Array): string {
  return builtin<Crypto>("node:crypto").createHash("sha256").update(bytes).digest("hex");
}

async function fetchOnce(source: URL, platform: Platform, pinned: { sha256: string; bytes: number }): Promise<string> {
  const fs = builtin<FileSystem>("node:fs");
  const folder = `${cacheFolder()}/${pinned.sha256}`;
  const path = `${folder}/${libraryFileName(platform)}`;
  let cached: boolean;
  try {
    cached = fs.existsSync(path) && hashOf(fs.readFileSync(path)) === pinned.sha256;
  } catch (error) {
    throw permissionError(`read the cache ${folder}`, `--allow-read=${cacheFolder()}`, error);
  }
  if (cached) return path;
  let bytes: Uint8Array;
  try {
    const response = await fetch(source);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (isPermission(error)) throw permissionError(`fetch ${source}`, `--allow-net=${source.host}`, error);
    throw new NativeLoadError(
      `Cannot open a device: fetching ${source} failed (${
        (error as Error).message
      }). Check the network, or set FLASHPAGE_LIBRARY to a local copy of the library.`,
      { cause: error },
    );
  }
  const found = hashOf(bytes);
  if (found !== pinned.sha256) {
    throw new NativeLoadError(
      `Cannot open a device: ${source} is not the library this version was released with (${bytes.length} bytes, SHA-256 ${found}; expected ${pinned.bytes} bytes, ${pinned.sha256}). ` +
        "Nothing was kept. Import a version whose files are complete, or set FLASHPAGE_LIBRARY.",
    );
  }
  try {
    publish(folder, path, bytes);
  } catch (error) {
    throw permissionError(`write the cache ${folder}`, `--allow-write=${cacheFolder()}`, error);
  }
  return path;
}

/** Writes a file so that other processes see it whole or not at all. */
function publish(folder: string, path: string, bytes: Uint8Array): void {
  const fs = builtin<FileSystem>("node:fs");
  fs.mkdirSync(folder, { recursive: true });
  const temporary = `${path}.${builtin<Crypto>("node:crypto").randomUUID()}`;
  try {
    const file = fs.openSync(temporary, "wx");
    try {
      for (let done = 0; done < bytes.length;) done += fs.writeSync(file, bytes, done);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function cacheFolder(): string {
  const base = environment("XDG_CACHE_HOME") ??
    (environment("HOME") === undefined ? undefined : `${environment("HOME")}/.cache`);
  if (base === undefined) {
    throw new NativeLoadError(
      "Cannot open a device: there is no folder to keep the fetched library in. Set HOME or XDG_CACHE_HOME (in Deno, allow reading them with --allow-env=HOME,XDG_CACHE_HOME), or set FLASHPAGE_LIBRARY.",
    );
  }
  return `${base}/flashpage`;
}

function isPermission(error: unknown): boolean {
  const { name, code } = error as { name?: string; code?: string };
  return name === "NotCapable" || name === "PermissionDenied" || code === "EACCES" || code === "EPERM";
}

function permissionError(what: string, flag: string, cause: unknown): NativeLoadError {
  const remedy = (cause as Error).name === "NotCapable"
    ? `Run Deno with ${flag}.`
    : "Check the file and its permissions.";
  return new NativeLoadError(`Cannot open a device: could not ${what} (${(cause as Error).message}). ${remedy}`, {
    cause,
  });
}

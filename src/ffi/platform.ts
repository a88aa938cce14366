/**
 * The platforms a library is prebuilt for.
 *
 * @module
 */
import { NativeLoadError } from "../errors.ts";
import { system } from "./runtime.ts";

/** Folders of native/prebuilt. */
export type Platform = "linux-x64" | "linux-arm64" | "darwin-arm64";

const FILE_NAMES: Readonly<Record<Platform, string>> = {
  "linux-x64": "libflashpage.so",
  "linux-arm64": "libflashpage.so",
  "darwin-arm64": "libflashpage.dylib",
};

/** This machine's platform. @throws {NativeLoadError} if no library is built for it. */
export function currentPlatform({ platform, arch }: { platform: string; arch: string } = system()): Platform {
  const name = `${platform}-${arch}`;
  if (!(name in FILE_NAMES)) {
    throw new NativeLoadError(
      `Cannot open a device: there is no prebuilt library for ${name}. Built are ${
        Object.keys(FILE_NAMES).join(", ")
      }. ` +
        "Build your own with `deno task build` and set FLASHPAGE_LIBRARY to its path.",
    );
  }
  return name as Platform;
}

/** File name of a platform's library. */
export function libraryFileName(platform: Platform): string {
  return FILE_NAMES[platform];
}

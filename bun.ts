/**
 * The package's entry for Bun: `mod.ts`, and the library named so that `bun build --compile` puts it into the binary. Opening it still
 * checks its hash.
 *
 * @module
 */
import { registerLibraryPath } from "./src/ffi/library.ts";

export * from "./mod.ts";

// Bun knows these two when it bundles, so a binary holds its own platform's library alone. Each path must be spelled out.
const library = process.platform === "linux" && process.arch === "x64"
  ? await import("./native/prebuilt/linux-x64/libflashpage.so", { with: { type: "file" } })
  : process.platform === "linux" && process.arch === "arm64"
  ? await import("./native/prebuilt/linux-arm64/libflashpage.so", { with: { type: "file" } })
  : process.platform === "darwin" && process.arch === "arm64"
  ? await import("./native/prebuilt/darwin-arm64/libflashpage.dylib", { with: { type: "file" } })
  : undefined;
if (library !== undefined) {
  // From source and in a binary the path is absolute; in a bundle written to a folder it is relative to the bundle.
  const path: string = library.default;
  registerLibraryPath(path.startsWith("/") ? path : Bun.fileURLToPath(new URL(path, import.meta.url)));
}

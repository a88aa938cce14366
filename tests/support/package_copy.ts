/**
 * The package's files in a folder of their own, so that a test may serve, pack or damage them.
 *
 * They hold the committed library and its pinned hash. While someone works on the library, FLASHPAGE_LIBRARY names his own build: the copy
 * holds that one then, with its hash.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { currentPlatform, libraryFileName } from "../../src/ffi/platform.ts";
import { ROOT } from "./paths.ts";

/** A folder that goes when it is disposed. */
export class TemporaryFolder implements Disposable {
  readonly path: string = realpathSync(mkdtempSync(`${tmpdir()}/flashpage-test-`));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The library's path inside the package. */
export const LIBRARY_PATH = `native/prebuilt/${currentPlatform()}/${libraryFileName(currentPlatform())}`;

/** Puts the package's files into `folder`, `dist` apart. */
export function copyPackage(folder: string): void {
  for (const name of ["mod.ts", "bun.ts", "src", "package.json", "LICENSE", "README.md", "native/flashpage.h"]) {
    if (existsSync(`${ROOT}/${name}`)) cpSync(`${ROOT}/${name}`, `${folder}/${name}`, { recursive: true });
  }
  const override = process.env.FLASHPAGE_LIBRARY;
  if (override === undefined) {
    cpSync(`${ROOT}/native/prebuilt`, `${folder}/native/prebuilt`, { recursive: true });
    return;
  }
  // A bundler wants the file of every platform to be there; the others' are empty.
  for (const platform of ["linux-x64", "linux-arm64", "darwin-arm64"] as const) {
    mkdirSync(`${folder}/native/prebuilt/${platform}`, { recursive: true });
    writeFileSync(`${folder}/native/prebuilt/${platform}/${libraryFileName(platform)}`, "");
  }
  cpSync(override, `${folder}/${LIBRARY_PATH}`);
  const bytes = readFileSync(override);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const entry = `"${currentPlatform()}": { sha256: "${sha256}", bytes: ${bytes.length} }`;
  const generated = `${folder}/src/ffi/prebuilt.gen.ts`;
  const text = readFileSync(generated, "utf8");
  writeFileSync(generated, text.replace(/(export const PREBUILT:.*?> = \{)[^;]*\};/s, `$1 ${entry} };`));
}

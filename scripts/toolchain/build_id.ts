/**
 * The build id: SHA-256 over every file that the committed libraries depend on, by path and content. It can be computed without
 * building, so CI sees when a library is older than its sources.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const FOLDERS = ["native", "scripts/toolchain"];
const FILES = ["scripts/build_native.ts"];
const SKIP = /^native\/(prebuilt|build)\//;

function walk(root: string, folder: string, out: string[]): void {
  for (const entry of readdirSync(`${root}/${folder}`, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) walk(root, path, out);
    else if (!SKIP.test(path)) out.push(path);
  }
}

/** The id of the sources as they stand: 16 hexadecimal digits. */
export function computeBuildId(root: string): string {
  const paths = [...FILES];
  for (const folder of FOLDERS) walk(root, folder, paths);
  const hash = createHash("sha256");
  for (const path of paths.filter((path) => !SKIP.test(path)).sort()) {
    const bytes = readFileSync(`${root}/${path}`);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex").slice(0, 16);
}

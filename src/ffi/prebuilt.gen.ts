// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "ddf56d799216f21a9bba68c5297c37acb1edd52f8126fc6a421bb5fb2e37dfdb", bytes: 8530536 },
  "linux-arm64": { sha256: "116f2d1351331aa4b4a90753f21108d3171b4428aea0ae4351d06fa11cdbfc25", bytes: 7912656 },
  "darwin-arm64": { sha256: "5700dedd3e759256c5709cb4fa5db24371e062790729d502bc920a9997227d98", bytes: 1218592 },
};

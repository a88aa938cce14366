// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "4bcc836881cca36de3aaf855e5d9e8860b2fec2538ef551e70a6a46d26cd3a50", bytes: 7927144 },
  "linux-arm64": { sha256: "72242b1e2f91f5159f1cc1cfbc9d8d1ce20a2c012d7c6b78666eb4c090261011", bytes: 7310816 },
  "darwin-arm64": { sha256: "abb98f60ac48c986f03191bb931c8a4dbd30a8bec962c3f8cf65cc9775b698da", bytes: 1198624 },
};

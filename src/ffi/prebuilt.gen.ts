// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "531ada0e8d1214fca4f4c1d6755ee5009f68a71718bda484dbd482af0c0abf86", bytes: 5138216 },
  "linux-arm64": { sha256: "d4b6365141bc3e7a7a44c3ad0d93aaa0ce39fdedaee657a09c60343580453eb7", bytes: 4563512 },
  "darwin-arm64": { sha256: "ebfdb0e389445ca0bb2e2e86f4d2a87b7ada869c844f7174ba927d32f17304b5", bytes: 1163440 },
};

// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "f80f7a3703bbf619e6b67c11719c301e12f3359016c67a94d40494231d9e0704", bytes: 8816792 },
  "linux-arm64": { sha256: "0fb2379694bec91c9ee1696088c849245e83020562c3ca77e1f5b8bcc1470ca1", bytes: 8197816 },
  "darwin-arm64": { sha256: "957a00c0e17a4b90c82d14f461277cf7b6d2f0d132c32454fd6b6a079bb5b286", bytes: 1237408 },
};

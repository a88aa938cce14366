// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "d4f2e757897ecd14146635c76c784fe30fb857f3c9dc408889cb4b2d1a8390d0", bytes: 6428472 },
  "linux-arm64": { sha256: "8b4dc6ef49f762ceadd1dee970118a96d1c402e2f16079273760a379f66b10cd", bytes: 5812320 },
  "darwin-arm64": { sha256: "28bd7d0cf0ccf7723b7099b46f84e421594f65e2515c7e925f5baebfcb2cd76d", bytes: 1197952 },
};

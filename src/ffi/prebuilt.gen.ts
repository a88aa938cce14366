// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "aa3d81ffad7bd9b1acfc2e31bcb7b0d5d4cb56159537d65eabc0ce2f327b0d37", bytes: 6556648 },
  "linux-arm64": { sha256: "d55fd12a94c4ec3c0346328140b1f2c21f85a2ba5e649cd8b8c10c405a85accd", bytes: 5940320 },
  "darwin-arm64": { sha256: "2fee22a7fb1af1f61b182d5d25251d51a946cc05d3f45ba474153f843e872fb5", bytes: 1198064 },
};

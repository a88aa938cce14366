// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "b501030fb91299d7d63e53f7833d92564847a19bc18d6c5679abacec9984605f", bytes: 6615560 },
  "linux-arm64": { sha256: "f3c1e9c79c9f0bbaabacd4bae954beaba1c47b88751483775d5dbac0d54cb9c2", bytes: 5999184 },
  "darwin-arm64": { sha256: "f8c2645d3d5c50c2e2a1dc855b031ebc48ce968716b869dc99ca7a42b5d54327", bytes: 1198064 },
};

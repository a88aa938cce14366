// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "9d46399b3242105ffe8d1392cb5771cee633bf8cb911deccf3084f7ac50ccecc", bytes: 4584728 },
  "linux-arm64": { sha256: "867b07784bbfc8083d8c51739682035efce79c8b70efa18333019acad83af81f", bytes: 4230408 },
  "darwin-arm64": { sha256: "0f6f2e81d0f8e714f980b1cbd05cc480ca017deaad607415b41db27c9e7fa83c", bytes: 1064208 },
};

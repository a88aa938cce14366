// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "94b8b0e9d530eb05a5a094b4ba243e3ed1561bb5f171f08961a518153e5c1d31", bytes: 6556648 },
  "linux-arm64": { sha256: "ba67d9966298b31cbe4cbd43317dc9abc28744ead5bd6b6167038cc5d3f50b43", bytes: 5940336 },
  "darwin-arm64": { sha256: "96b8a56f1e00c05fc71a2e502b7f2f965a34d7aa03c3cb499eecdbf70cc97d8f", bytes: 1198064 },
};
